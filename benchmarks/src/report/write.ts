import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Machine } from '../machine.js';
import type { Options } from '../options.js';
import type { WorkloadResult } from '../run-workload.js';
import { judge } from './judge.js';
import { toMarkdown } from './table.js';

/** Writes `<date>-<commit>.json` and `.md`; answers the path without its ending. A quick run never replaces a full one. */
export function writeResults(
  folder: string,
  machine: Machine,
  options: Options,
  results: readonly WorkloadResult[],
): string {
  mkdirSync(folder, { recursive: true });
  const kind = options.scale === 1 ? '' : '-quick';
  const file = join(folder, `${machine.date.slice(0, 10)}-${machine.commit}${kind}`);
  const workloads = results.map((result) => ({
    id: result.workload.id,
    title: result.workload.title,
    participants: result.workload.participants.map(({ id, title }) => ({ id, title, missing: result.missing[id] })),
    notes: result.notes,
    failed: result.failed,
    comparisons: judge(result).map(({ comparison, found, verdict }) => ({ ...comparison, ...found, verdict })),
    rounds: result.rounds,
  }));
  writeFileSync(`${file}.json`, `${JSON.stringify({ machine, options, workloads }, null, 2)}\n`);
  writeFileSync(`${file}.md`, `${toMarkdown(machine, options, results)}\n`);
  return file;
}
