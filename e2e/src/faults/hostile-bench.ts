import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { JobView } from '../harness/api.js';
import { executorOf, processesOfWorker } from '../harness/processes.js';
import { waitUntil } from '../harness/wait.js';
import type { Client } from './client.js';
import type { FaultCluster, FaultClusterOptions } from './cluster/fault-cluster.js';
import type { WorkerSeat } from './cluster/worker-seat.js';
import { readCommandLines, recordedBody } from './command-lines.js';
import type { Conclusion } from './conclude.js';
import { HeartbeatWatch, Holdings } from './hostile-watch.js';
import { requireThat, type Scenario, type ScenarioContext } from './scenario.js';
import { uptimeMs } from './uptime.js';

const WORKER = 'worker-1';
const WARM_JOBS = 8;
const ENDS_WITHIN_MS = 90_000;
const NOTHING_LEFT_WITHIN_MS = 15_000;
/** On top of what it had when nothing but the neighbour ran. */
const MAY_GROW_MIB = { worker: 100, executor: 100, scheduler: 150 };
const HEARTBEAT_WITHIN_MS = 10_000;
/** Heartbeats go out every 3 s: whoever misses two is suspect. */
const SILENCE_LIMIT_MS = 6_000;
/** It notes ten times a second; the machine may have other work. */
const NEIGHBOUR_SILENCE_LIMIT_MS = 3_000;
/** Sockets to Redis or schedulers may be in the middle of being replaced. */
const FILES_SLACK = 2;

export interface HostileScenario {
  id: string;
  title: string;
  promise: string;
  quick?: boolean;
  needs?: Scenario['needs'];
  options?: FaultClusterOptions;
  /** It ends executors: what runs on this worker runs again, in an executor anew. */
  endsExecutors?: boolean;
  /** The scheduler's memory may grow by so much. Default `MAY_GROW_MIB`. */
  schedulerMayGrowMib?: number;
  /** Before anything is started: what to make of the directory for temporary files. */
  prepare?(temporary: string): void;
  /** Whatever came of it. */
  release?(temporary: string): void;
  /** Answers what was measured. */
  attack(bench: HostileBench): Promise<string>;
}

interface ConcludeBench {
  endsExecutors: boolean;
  mayGrowMib: typeof MAY_GROW_MIB;
}

/** A job that does its worst, and a neighbour on the same worker, which must not notice. */
export function hostile(params: HostileScenario): Scenario {
  const { id, title, promise, quick = false, needs = [], endsExecutors = false } = params;
  const mayGrowMib = { ...MAY_GROW_MIB, scheduler: params.schedulerMayGrowMib ?? MAY_GROW_MIB.scheduler };
  return {
    id,
    title,
    promise,
    quick,
    needs,
    async run(context) {
      const temporary = temporaryOf(context);
      mkdirSync(temporary);
      try {
        params.prepare?.(temporary);
        const bench = await HostileBench.start(context, params.options);
        const measured = await params.attack(bench);
        return `${measured}; ${await bench.conclude({ endsExecutors, mayGrowMib })}`;
      } finally {
        params.release?.(temporary);
      }
    },
  };
}

export class HostileBench {
  /** Of all directories for temporary files: this worker's, its executor's, its commands'. */
  readonly temporary: string;
  readonly #client: Client;
  readonly #neighbour: { id: string; stop: string };
  readonly #holdings: Holdings[];
  readonly #heartbeats: HeartbeatWatch;
  readonly #temporaryBefore: number;

  private constructor(
    readonly context: ScenarioContext,
    readonly cluster: FaultCluster,
    client: Client,
    neighbour: { id: string; stop: string },
  ) {
    this.temporary = temporaryOf(context);
    this.#client = client;
    this.#neighbour = neighbour;
    const pids = { worker: this.worker.program.pid, executor: this.worker.executorPid };
    const all = { ...pids, scheduler: cluster.scheduler(1).program.pid };
    this.#holdings = (['worker', 'executor', 'scheduler'] as const).map((name) => new Holdings(name, all[name]));
    this.#heartbeats = new HeartbeatWatch(cluster, WORKER);
    this.#temporaryBefore = this.#countTemporary();
  }

  static async start(context: ScenarioContext, options: FaultClusterOptions = {}): Promise<HostileBench> {
    const env = { TMPDIR: temporaryOf(context) };
    const cluster = await context.cluster({ workers: [WORKER], ...options, env });
    const client = context.client();
    const stop = join(context.folder, 'neighbour-may-end');
    const command = recordedBody(`while [ ! -e "${stop}" ]; do sleep 0.1; note tick; done`);
    const neighbour = await client.submit({ ms: 0, fields: { command } });
    for (let warm = 0; warm < WARM_JOBS; warm += 1) {
      const { id = '' } = await client.submit({ ms: 10 });
      await cluster.api.finalJob(id, ENDS_WITHIN_MS);
    }
    return new HostileBench(context, cluster, client, { id: neighbour.id ?? '', stop });
  }

  get worker(): WorkerSeat {
    return this.cluster.worker(WORKER);
  }

  /** Its body is part of a recorded command: shell, of which `$$` notes what it does. Answers its id. */
  async submit(
    body: string,
    fields: Record<string, unknown> = {},
    expects: 'succeeded' | 'failed' | 'any' = 'succeeded',
  ): Promise<string> {
    const wish = { ms: 0, expects, fields: { command: recordedBody(body), ...fields } };
    const { id } = await this.#client.submit(wish);
    if (id === undefined) {
      throw new Error(`was not accepted: ${body}`);
    }
    return id;
  }

  finished(id: string, withinMs = ENDS_WITHIN_MS): Promise<JobView> {
    return this.cluster.api.finalJob(id, withinMs);
  }

  /** Of the last start of a job: how long ago its command came to its end. */
  sinceEndMs(id: string): number {
    const lines = readCommandLines(readFileSync(this.context.recorder.commandFile, 'utf8'));
    const end = lines.findLast(({ job, kind }) => job === id && kind === 'end');
    requireThat(end !== undefined, `${id} did not come to its end`);
    return uptimeMs() - (end?.atMs ?? 0);
  }

  /** Resolves when none of the processes of such jobs is left; answers how long that took from now. */
  async allGone(withinMs: number): Promise<number> {
    const since = performance.now();
    let left: string[] = [];
    const none = (): boolean => (left = this.foreign()).length === 0;
    await waitUntil('nothing is left of it', none, { withinMs, everyMs: 100 }).catch(() => {
      throw new Error(`${left.length} processes are left after ${withinMs} ms: ${left.slice(0, 5).join('; ')}`);
    });
    return Math.round(performance.now() - since);
  }

  async run(...job: Parameters<HostileBench['submit']>): Promise<JobView> {
    return this.finished(await this.submit(...job));
  }

  /** What GET logs answers, byte for byte. */
  async logs(id: string, query = ''): Promise<{ bytes: Buffer; headers: Headers }> {
    const { api } = this.cluster;
    const response = await fetch(`${api.address}/api/v1/jobs/${id}/logs${query}`);
    requireThat(response.status === 200, `GET logs of ${id} answered ${response.status}`);
    return { bytes: Buffer.from(await response.arrayBuffer()), headers: response.headers };
  }

  /** Ends the neighbour, lets the checker judge, and requires that everybody is as before. */
  async conclude({ endsExecutors, mayGrowMib }: ConcludeBench): Promise<string> {
    const holdings = endsExecutors ? this.#holdings.filter(({ name }) => name !== 'executor') : this.#holdings;
    await this.#nothingIsLeft(holdings, endsExecutors);
    await waitUntil('the worker beats', () => this.#heartbeats.longestSilenceMs > 0, { withinMs: HEARTBEAT_WITHIN_MS });
    await this.#heartbeats.stop();
    writeFileSync(this.#neighbour.stop, '');
    const conclusion = await this.context.conclude();
    const neighbourSilenceMs = this.#requireNeighbour(conclusion, endsExecutors);

    const { doubts, longestSilenceMs } = this.#heartbeats;
    requireThat(doubts.length === 0, `${doubts.length} answers of GET /workers: ${doubts[0]}`);
    requireThat(longestSilenceMs < SILENCE_LIMIT_MS, `no heartbeat for ${longestSilenceMs} ms`);
    const grown = holdings.map(({ name, grownByMib }) => ({ name, mib: grownByMib }));
    const text = grown.map(({ name, mib }) => `${name} +${mib} MiB`).join(', ');
    requireThat(
      grown.every(({ name, mib }) => mib < mayGrowMib[name]),
      `memory is not bounded: ${text}`,
    );
    const neighbour = endsExecutors ? '' : `, the neighbour's at most ${neighbourSilenceMs} ms apart`;
    return `${text}; heartbeats at most ${longestSilenceMs} ms apart${neighbour}`;
  }

  /** Runs on: the neighbour and whoever works for the worker. Everything else is over, and has given back what it had. */
  async #nothingIsLeft(holdings: readonly Holdings[], endsExecutors: boolean): Promise<void> {
    const { pid } = this.worker.program;
    requireThat(pid === this.#pidOf('worker'), `another worker runs: ${pid}`);
    let left: string[] = [];
    const look = (): boolean => {
      const more = holdings.filter(({ filesMore }) => filesMore > FILES_SLACK);
      const temporary = this.#countTemporary();
      left = [
        ...more.map(({ name, filesMore }) => `${name} has ${filesMore} files more`),
        ...this.foreign(),
        ...(temporary > this.#temporaryBefore ? [`${temporary - this.#temporaryBefore} temporary files more`] : []),
      ];
      return left.length === 0;
    };
    await waitUntil('nothing is left', look, { withinMs: NOTHING_LEFT_WITHIN_MS, everyMs: 200 }).catch(() => undefined);
    requireThat(left.length === 0, `left: ${left.join('; ')}`);
    const executor = executorOf(pid)?.pid;
    const same = executor === this.#pidOf('executor');
    requireThat(executor !== undefined && same !== endsExecutors, `the executor is ${executor}`);
  }

  /** Processes with a mark of the worker that are neither the neighbour's nor its own. */
  foreign(): string[] {
    const all = processesOfWorker(this.worker.program.pid);
    return all
      .filter(({ environment }) => !/ORCHESTRATOR_MARK=[^\0]*\/@(executor|guard|helper-\d+)(\0|$)/.test(environment))
      .filter(({ environment }) => !environment.includes(`ORCHESTRATOR_JOB_ID=${this.#neighbour.id}\0`))
      .map(({ pid, command }) => `process ${pid}: ${command}`);
  }

  #requireNeighbour({ history }: Conclusion, endsExecutors: boolean): number {
    const lines = history.lines.filter(({ job }) => job === this.#neighbour.id);
    const starts = lines.filter(({ kind }) => kind === 'start').length;
    const gaps = lines.slice(1).map(({ atMs }, index) => atMs - (lines[index]?.atMs ?? atMs));
    const longestMs = Math.max(...gaps);
    requireThat(endsExecutors || starts === 1, `the neighbour started ${starts} times`);
    requireThat(
      endsExecutors || longestMs < NEIGHBOUR_SILENCE_LIMIT_MS,
      `the neighbour did nothing for ${longestMs} ms`,
    );
    return longestMs;
  }

  #pidOf(name: string): number | undefined {
    return this.#holdings.find((each) => each.name === name)?.pid;
  }

  /** Names made in advance for pipes come and go: their directory counts, not they. */
  #countTemporary(): number {
    return readdirSync(this.temporary).length;
  }
}

function temporaryOf({ folder }: ScenarioContext): string {
  return join(folder, 'tmp');
}
