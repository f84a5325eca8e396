import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT } from '../harness/program.js';
import { type Options, readOptions, USAGE } from './options.js';
import { runScenario, type ScenarioResult } from './run-scenario.js';
import type { Scenario } from './scenario.js';
import { scenarios } from './scenarios/index.js';
import { toTable, writeInto } from './table.js';

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const unknown = options.only.filter((id) => !scenarios.some((scenario) => scenario.id === id));
  if (unknown.length > 0) {
    say(`no scenario ${unknown.join(', ')}; there are ${scenarios.map(({ id }) => id).join(', ')}`);
    return 2;
  }
  if (options.list) {
    scenarios.forEach(({ id, title, quick }) => say(`${id.padEnd(10)} ${title}${quick ? ' (quick)' : ''}`));
    return 0;
  }
  const results = await runAll(
    scenarios.filter((scenario) => isWanted(scenario, options)),
    options,
  );
  return report(results, options);
}

function isWanted({ id, quick }: Scenario, { only, quick: quickOnly }: Options): boolean {
  return only.length > 0 ? only.includes(id) : quick || !quickOnly;
}

async function runAll(wanted: readonly Scenario[], { seed, soakMs, keep }: Options): Promise<ScenarioResult[]> {
  const folder = runFolder(seed);
  say(`seed ${seed}; logs and histories of what fails stay in ${folder}`);
  const results: ScenarioResult[] = [];
  for (const scenario of wanted) {
    say(`\n── ${scenario.id}: ${scenario.title}`);
    const result = await runScenario(scenario, { seed, folder, soakMs, keep });
    const errors = result.errorLines === 0 ? '' : ` [${result.errorLines} lines at level error]`;
    say(`── ${result.id}: ${result.outcome} (${result.seconds} s)${errors}\n${result.text}`);
    results.push(result);
  }
  return results;
}

function report(results: readonly ScenarioResult[], { seed, write }: Options): number {
  const table = toTable(results, seed);
  writeFileSync(join(runFolder(seed), 'results.json'), `${JSON.stringify({ seed, results }, null, 2)}\n`);
  if (write) {
    writeInto(join(ROOT, 'docs', 'faults.md'), results, { seed, scenarios });
  }
  const count = (outcome: string): number => results.filter((result) => result.outcome === outcome).length;
  say(`\n${table}\n`);
  say(`${count('passed')} passed, ${count('failed')} failed, ${count('not run')} not run; seed ${seed}`);
  return count('failed') > 0 ? 1 : 0;
}

function runFolder(seed: number): string {
  const folder = join(ROOT, '.orchestrator', 'faults', String(seed));
  mkdirSync(folder, { recursive: true });
  return folder;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
