import { pairedRatios, valuesOf } from '../pairs.js';
import type { WorkloadResult } from '../run-workload.js';
import { type Spread, spread } from '../statistics.js';
import type { Comparison } from '../workload.js';

export type Verdict = 'star' | 'holds' | 'missed' | 'no goal' | 'not measured';

export interface Judged {
  comparison: Comparison;
  /** Of the rounds' ratios, or of the figure itself. */
  found: Spread | undefined;
  verdict: Verdict;
}

/** Each comparison of a workload, by the median over its rounds. A workload that failed shows nothing. */
export function judge({ workload, rounds, failed }: WorkloadResult): Judged[] {
  return workload.comparisons.map((comparison) => {
    const { of, to } = comparison;
    const values = failed !== undefined ? [] : to === undefined ? valuesOf(rounds, of) : pairedRatios(rounds, of, to);
    const found = values.length === 0 ? undefined : spread(values);
    return { comparison, found, verdict: toVerdict(comparison, found?.median) };
  });
}

function toVerdict({ better, must, star }: Comparison, value: number | undefined): Verdict {
  if (value === undefined) {
    return 'not measured';
  }
  const reaches = (goal: number | undefined): boolean =>
    goal !== undefined && (better === 'more' ? value >= goal : value <= goal);
  if (must === undefined) {
    return 'no goal';
  }
  return reaches(star) ? 'star' : reaches(must) ? 'holds' : 'missed';
}
