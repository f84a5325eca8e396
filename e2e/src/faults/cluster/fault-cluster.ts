import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { type SentinelGroup, startRedis, type TestRedis } from '@orchestrator/testing';
import type { Redis } from 'ioredis';

import type { WorkerView } from '../../harness/api.js';
import { waitUntil } from '../../harness/wait.js';
import { processesOfWorker } from '../../harness/processes.js';
import { Network } from './network.js';
import { startReplicatedRedis } from './replicated-redis.js';
import { SchedulerSeat } from './scheduler-seat.js';
import { WorkerSeat } from './worker-seat.js';

export interface FaultClusterOptions {
  /** How many. Default 1. */
  schedulers?: number;
  /** Ids. Default worker-1 and worker-2. */
  workers?: readonly string[];
  /** Of each worker. Default 4. */
  slots?: number;
  /** Every hop through a proxy of its own: `worker('worker-1').links[0]`, `scheduler(1).redis`. */
  links?: boolean;
  /** Each worker on a host of its own, in a network namespace: `cluster.network.drop('worker-1', 'out')`. Not with `links`. */
  network?: boolean;
  /** Wall clocks can be set, by `setClock(cluster.folder, 'worker-1', 3_600_000)`. */
  clocks?: boolean;
  /** More arguments of redis-server, as ['--appendfsync', 'always']. */
  redisArgs?: readonly string[];
  /** A master with so many replicas and three Sentinels instead of one server: `cluster.group`. Not with `links`. */
  replicas?: number;
  /** The build that all of them are started from, see `Seat.build`. Default: this checkout's. */
  build?: string;
  schedulerArgs?: readonly string[];
  workerArgs?: readonly string[];
  /** Words before a worker's own, as `prlimit --nofile=64`; they must become the worker. Not with `network`. */
  workerLauncher?: readonly string[];
  /** The same for each scheduler. */
  schedulerLauncher?: readonly string[];
  env?: Readonly<Record<string, string>>;
}

const READY_WITHIN_MS = 30_000;
const NOTHING_LEFT_WITHIN_MS = 20_000;

/** A Redis, some schedulers, some workers, and every hop between them, as real processes. */
export class FaultCluster {
  readonly schedulers: SchedulerSeat[] = [];
  readonly workers = new Map<string, WorkerSeat>();
  readonly redisClient: Redis;
  readonly #network: Network | undefined;

  private constructor(
    readonly redis: TestRedis,
    readonly folder: string,
    readonly options: FaultClusterOptions,
    readonly sentinels: SentinelGroup | undefined,
  ) {
    this.redisClient = redis.client();
    this.#network = options.network === true ? Network.create() : undefined;
  }

  static async start(folder: string, options: FaultClusterOptions = {}): Promise<FaultCluster> {
    mkdirSync(folder, { recursive: true });
    const { redis, sentinels } = await startStore(options);
    const cluster = new FaultCluster(redis, folder, options, sentinels);
    try {
      for (let index = 1; index <= (options.schedulers ?? 1); index += 1) {
        const seat = await SchedulerSeat.create(`scheduler-${index}`, cluster);
        seat.build = options.build;
        cluster.schedulers.push(seat);
      }
      cluster.schedulers.forEach((seat) => seat.launch());
      await Promise.all(cluster.schedulers.map((seat) => seat.ready()));
      await Promise.all((options.workers ?? ['worker-1', 'worker-2']).map((id) => cluster.startWorker(id)));
    } catch (error) {
      await cluster.kill();
      throw error;
    }
    return cluster;
  }

  /** Of the schedulers that live, the first. */
  get api(): SchedulerSeat['api'] {
    return (this.schedulers.find((seat) => seat.isRunning) ?? this.scheduler(1)).api;
  }

  get network(): Network {
    if (this.#network === undefined) {
      throw new Error('this cluster was started without `network: true`');
    }
    return this.#network;
  }

  /** Master, replicas and Sentinels. */
  get group(): SentinelGroup {
    return required(this.sentinels, 'group of Redis servers (option `replicas`)');
  }

  scheduler(number: number): SchedulerSeat {
    return required(this.schedulers[number - 1], `scheduler-${number}`);
  }

  worker(id: string): WorkerSeat {
    return required(this.workers.get(id), id);
  }

  /** The one that says of itself that it leads; while none does, there is none to be had. */
  async leader(): Promise<SchedulerSeat> {
    return waitUntil(
      'one scheduler leads',
      async () => {
        const answers = await Promise.all(
          this.schedulers.map(async (seat) => {
            const status = await seat.status().catch(() => undefined);
            return status?.leader === true ? seat : undefined;
          }),
        );
        return answers.find((seat) => seat !== undefined);
      },
      { withinMs: READY_WITHIN_MS },
    );
  }

  /** Started, and alive as the API says. */
  async startWorker(id: string): Promise<WorkerSeat> {
    const known = this.workers.get(id);
    const seat = known ?? (await WorkerSeat.create(id, this));
    if (known === undefined) {
      seat.build = this.options.build;
      this.workers.set(id, seat);
    }
    seat.launch();
    await this.workerIs(id, 'alive');
    return seat;
  }

  async workerIs(id: string, state: string, withinMs = READY_WITHIN_MS): Promise<WorkerView> {
    return waitUntil(
      `${id} is ${state}`,
      async () => (await this.api.workers()).find((each) => each.id === id && each.state === state),
      { withinMs },
    ).catch((error: unknown) => {
      throw new Error(`${id} is not ${state} within ${withinMs} ms:\n${this.describe()}`, { cause: error });
    });
  }

  logFile(name: string): string {
    return join(this.folder, `${name}.log`);
  }

  /** Programs that ended without having been asked to: always a finding. */
  endedByThemselves(): string[] {
    return [...this.schedulers, ...this.workers.values()].flatMap((seat) => seat.unexpectedEnds());
  }

  /** The last lines of everybody. */
  describe(): string {
    return [...this.schedulers, ...this.workers.values()].map((seat) => `--- ${seat.name}\n${seat.tail()}`).join('\n');
  }

  /** Ends everybody, workers first; answers what of the workers outlived that. */
  async stop(): Promise<string[]> {
    const workers = [...this.workers.values()];
    await Promise.all(workers.map((seat) => seat.kill()));
    const pids = workers.flatMap((seat) => seat.allPids);
    const left = (): string[] =>
      pids.flatMap((pid) => processesOfWorker(pid)).map(({ pid, command }) => `process ${pid}: ${command}`);
    await waitUntil('nothing of the workers is left', () => left().length === 0, {
      withinMs: NOTHING_LEFT_WITHIN_MS,
      everyMs: 200,
    }).catch(() => undefined);
    const found = left();
    await this.kill();
    return found;
  }

  async kill(): Promise<void> {
    await Promise.all([...this.workers.values(), ...this.schedulers].map((seat) => seat.close()));
    this.#network?.remove();
    await this.redis.stop();
  }
}

async function startStore({
  replicas,
  redisArgs = [],
}: FaultClusterOptions): Promise<{ redis: TestRedis; sentinels?: SentinelGroup }> {
  return replicas === undefined
    ? { redis: await startRedis({ persistent: true, args: [...redisArgs] }) }
    : startReplicatedRedis(replicas, redisArgs);
}

function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) {
    throw new Error(`there is no ${name} in this cluster`);
  }
  return value;
}
