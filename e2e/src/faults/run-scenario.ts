import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Client } from './client.js';
import { FaultCluster } from './cluster/fault-cluster.js';
import { concludeRun } from './conclude.js';
import { missing } from './needs.js';
import { Recorder } from './recorder.js';
import type { Scenario, ScenarioContext } from './scenario.js';
import { SeededRandom } from './seeded-random.js';

export interface ScenarioResult {
  id: string;
  title: string;
  promise: string;
  outcome: 'passed' | 'failed' | 'not run';
  /** What was measured; why it failed; what it needs. */
  text: string;
  seconds: number;
  /** Lines at level error in anybody's log: worth a look, also of what passed. */
  errorLines: number;
}

export interface RunOptions {
  seed: number;
  /** A scenario gets a folder in it, which stays when it fails. */
  folder: string;
  soakMs: number;
  keep?: boolean;
}

/** Runs one scenario on a cluster of its own. Never rejects. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<ScenarioResult> {
  const { id, title, promise, needs = [] } = scenario;
  const lacking = missing(needs);
  if (lacking.length > 0) {
    const text = `not run here: needs ${lacking.join(', ')}`;
    return { id, title, promise, outcome: 'not run', text, seconds: 0, errorLines: 0 };
  }
  const since = performance.now();
  const folder = join(options.folder, id);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const running = new RunningScenario(folder, SeededRandom.named(options.seed, id), options.soakMs);
  const failures: string[] = [];
  let text = '';
  try {
    text = await scenario.run(running);
  } catch (error) {
    failures.push(explain(error));
  }
  failures.push(...(await running.stop().catch((error: unknown) => [explain(error)])));
  const outcome = failures.length === 0 ? 'passed' : 'failed';
  const result: ScenarioResult = {
    id,
    title,
    promise,
    outcome,
    text: failures.length === 0 ? text : failures.join('\n'),
    seconds: Math.round((performance.now() - since) / 100) / 10,
    errorLines: running.errorLines,
  };
  writeFileSync(join(folder, 'result.json'), `${JSON.stringify({ seed: options.seed, ...result }, null, 2)}\n`);
  if (outcome === 'passed' && options.keep !== true) {
    rmSync(folder, { recursive: true, force: true });
  }
  return result;
}

class RunningScenario implements ScenarioContext {
  readonly recorder: Recorder;
  #cluster: FaultCluster | undefined;
  errorLines = 0;

  constructor(
    readonly folder: string,
    readonly random: SeededRandom,
    readonly soakMs: number,
  ) {
    this.recorder = new Recorder(folder);
  }

  get #running(): FaultCluster {
    if (this.#cluster === undefined) {
      throw new Error('the scenario has not started its cluster');
    }
    return this.#cluster;
  }

  cluster: ScenarioContext['cluster'] = async (options) => {
    this.#cluster = await FaultCluster.start(this.folder, options);
    return this.#cluster;
  };

  client: ScenarioContext['client'] = () => {
    const apis = this.#running.schedulers.map(({ api }) => api);
    return new Client({ apis, recorder: this.recorder, random: this.random });
  };

  conclude: ScenarioContext['conclude'] = (options) => concludeRun(this.#running, this.recorder, options);

  /** Answers what was left behind. */
  async stop(): Promise<string[]> {
    const cluster = this.#cluster;
    if (cluster === undefined) {
      return [];
    }
    const seats = [...cluster.schedulers, ...cluster.workers.values()];
    this.errorLines = seats.reduce((sum, seat) => sum + seat.errors().length, 0);
    return (await cluster.stop()).map((what) => `NOTHING_LEFT: ${what}`);
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const cause = error.cause === undefined ? [] : [`because ${explain(error.cause)}`];
  return [error.name === 'Error' ? error.message : `${error.name}: ${error.message}`, ...cause].join('\n');
}
