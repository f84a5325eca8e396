import { attemptRuns, type AttemptRun } from '../checker/attempt-runs.js';
import type { Client } from '../client.js';
import type { History, Submission } from '../history.js';
import { span } from '../measure.js';
import { requireThat } from '../scenario.js';

const POLICIES = ['freeze', 'kill', 'continue'] as const;
type Policy = (typeof POLICIES)[number];

/** Heartbeats are sent every 3 s, so 12 s of lease are over 9 to 12 s after the stop. */
export const LEASE_IS_OVER_AFTER_MS = 12_500;
const JOBS_OF_EACH = 2;
const LONG_JOB_MS = 18_000;

export const SURVIVES =
  'frozen jobs go on where they stopped, in the same attempt; those that are to be killed run again; nobody is taken for dead';

/** Between these two moments no heartbeat was acknowledged to anybody. */
export interface Outage {
  sinceMs: number;
  overMs: number;
}

/** Two long jobs with each `onLeaseLost`, that run while all workers are cut off, and what each of them has to come to. */
export class LeasePolicies {
  private constructor(readonly jobs: ReadonlyMap<Policy, readonly Submission[]>) {}

  static async submit(client: Client): Promise<LeasePolicies> {
    const jobs = new Map<Policy, readonly Submission[]>();
    for (const policy of POLICIES) {
      const some = Array.from({ length: JOBS_OF_EACH }, () =>
        client.submit({ ms: LONG_JOB_MS, fields: { onLeaseLost: policy } }),
      );
      jobs.set(policy, await Promise.all(some));
    }
    return new LeasePolicies(jobs);
  }

  get count(): number {
    return POLICIES.length * JOBS_OF_EACH;
  }

  /** The id of one of them. */
  get known(): string {
    return this.jobs.get('freeze')?.[0]?.id ?? '';
  }

  /** After an outage that was longer than the lease. Answers what was measured. */
  requireKept(history: History, losses: number, { sinceMs, overMs }: Outage): string {
    const runs = attemptRuns(history.lines);
    this.#requireStarts(runs, { freeze: 1, kill: 2, continue: 1 });
    requireThat(losses === JOBS_OF_EACH, `${losses} attempts were counted as lost: expected those that are killed`);
    const frozen = this.#of(runs, 'freeze').flat();
    const killed = this.#of(runs, 'kill').flatMap(([first]) => (first === undefined ? [] : [first]));
    const silentAfter = (ofPolicy: readonly AttemptRun[]): number[] =>
      ofPolicy.map((run) => lastBefore(run, overMs) - sinceMs);
    for (const lastMs of [...silentAfter(frozen), ...silentAfter(killed)]) {
      requireThat(lastMs <= LEASE_IS_OVER_AFTER_MS, `a command wrote ${lastMs} ms after the stop: its lease was over`);
    }
    const thawed = frozen.map(({ wrote }) => (wrote.find(({ atMs }) => atMs >= overMs)?.atMs ?? Infinity) - overMs);
    const [stood, ended] = [span(silentAfter(frozen)), span(silentAfter(killed))];
    return `frozen ${stood} after the stop, went on ${span(thawed)} after the end of it; killed after ${ended}`;
  }

  /** After one that was shorter. */
  requireUntouched(history: History, losses: number): void {
    this.#requireStarts(attemptRuns(history.lines), { freeze: 1, kill: 1, continue: 1 });
    requireThat(losses === 0, `${losses} attempts were counted as lost`);
  }

  #requireStarts(runs: ReadonlyMap<string, AttemptRun[]>, wanted: Record<Policy, number>): void {
    for (const policy of POLICIES) {
      const counts = this.#of(runs, policy).map((ofJob) => ofJob.length);
      requireThat(
        counts.every((count) => count === wanted[policy]),
        `jobs with onLeaseLost ${policy} started ${counts.join(' and ')} times: expected ${wanted[policy]}`,
      );
    }
  }

  #of(runs: ReadonlyMap<string, AttemptRun[]>, policy: Policy): AttemptRun[][] {
    return (this.jobs.get(policy) ?? []).map(({ id }) => runs.get(id ?? '') ?? []);
  }
}

function lastBefore({ wrote }: AttemptRun, atMs: number): number {
  return Math.max(0, ...wrote.filter((line) => line.atMs < atMs).map((line) => line.atMs));
}
