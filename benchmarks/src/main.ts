import { join, relative } from 'node:path';

import { ROOT } from '@orchestrator/e2e';

import { BenchRedis } from './bench-redis.js';
import { describeMachine } from './machine.js';
import { type Options, readOptions, USAGE } from './options.js';
import { toMarkdown } from './report/table.js';
import { writeResults } from './report/write.js';
import { runWorkload, type WorkloadResult } from './run-workload.js';
import type { Workload } from './workload.js';
import { workloads } from './workloads/index.js';

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const unknown = options.only.filter((name) => !workloads.some((workload) => isCalled(workload, name)));
  if (unknown.length > 0) {
    say(`no workload ${unknown.join(', ')}; there are ${workloads.map(({ id }) => id).join(', ')}`);
    return 2;
  }
  if (options.list) {
    workloads.forEach((workload) => say(listed(workload)));
    return 0;
  }
  return run(options);
}

async function run(options: Options): Promise<number> {
  const redis = await BenchRedis.start();
  try {
    const machine = describeMachine(await redis.version());
    const results: WorkloadResult[] = [];
    for (const workload of workloads.filter((each) => isWanted(each, options))) {
      say(`\n── ${workload.id}: ${workload.title}`);
      const since = performance.now();
      const result = await runWorkload(workload, { ...options, redis, say });
      const seconds = ((performance.now() - since) / 1_000).toFixed(0);
      say(`── ${workload.id}: ${result.failed === undefined ? 'done' : `FAILED: ${result.failed}`} (${seconds} s)`);
      results.push(result);
    }
    const file = writeResults(options.out ?? join(ROOT, 'benchmarks', 'results'), machine, options, results);
    say(`\n${toMarkdown(machine, options, results)}\n\nwritten: ${relative(process.cwd(), file)}.json and .md`);
    return results.some(({ failed }) => failed !== undefined) ? 1 : 0;
  } finally {
    await redis.stop();
  }
}

function isWanted(workload: Workload, { only, quick }: Options): boolean {
  return only.length > 0 ? only.some((name) => isCalled(workload, name)) : workload.quick || !quick;
}

function isCalled({ id, aliases = [] }: Workload, name: string): boolean {
  return id === name || aliases.includes(name);
}

function listed({ id, title, aliases = [], comparisons, quick }: Workload): string {
  const goals = [...new Set(comparisons.map(({ goal }) => goal))].filter((goal) => goal !== '');
  const names = aliases.length === 0 ? '' : ` (also ${aliases.join(', ')})`;
  return `${id.padEnd(13)} ${title}${names}: ${goals.join(', ')}${quick ? ' (quick)' : ''}`;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
