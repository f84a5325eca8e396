import { join } from 'node:path';

import { Api, processesOfWorker, Program, waitUntil } from '@orchestrator/e2e';
import { freePort } from '@orchestrator/testing';

import { cpuUsOf } from '../cpu.js';
import { type LedgerPage, mergePages } from '../ledger.js';
import type { Run } from '../workload.js';
import { Ear } from './ear.js';

export interface ProductOptions {
  schedulers?: number;
  workers: number;
  /** Default: the one that everything has by default. */
  pools?: readonly string[];
  /** Of the pools those that a worker is for, by its number from 1. Default: all. */
  poolsOf?: (worker: number) => readonly string[];
  /** What is not as it is by default: for a load that goes on, a retention that is reached at once. */
  schedulerArgs?: readonly string[];
  /** MiB that the handlers' module holds. */
  ballastMib?: number;
}

interface WorkerView {
  id: string;
  state: string;
  health: string;
  slots: number;
}

interface WorkerPage {
  items: WorkerView[];
  nextCursor: string | null;
}

const READY_WITHIN_MS = 60_000;
const NOTHING_LEFT_WITHIN_MS = 20_000;
const HANDLERS = join(__dirname, 'handlers.js');

/** The product as its programs, with the options that it has by default: only ports, names and addresses are given. */
export class Product {
  readonly #schedulers: { program: Program; api: Api; grpcPort: number }[] = [];
  readonly #workers: { program: Program; ear: Ear }[] = [];

  private constructor(
    private readonly run: Run,
    private readonly options: ProductOptions,
  ) {}

  /** All ready, workers alive. */
  static async start(run: Run, options: ProductOptions): Promise<Product> {
    const product = new Product(run, options);
    try {
      for (let number = 1; number <= (options.schedulers ?? 1); number += 1) {
        await product.#startScheduler(number);
      }
      await product.#schedulersReady();
      await product.startWorkers(options.workers);
    } catch (error) {
      await product.kill();
      throw error;
    }
    return product;
  }

  /** Of the first scheduler. */
  get api(): Api {
    const first = this.#schedulers[0];
    if (first === undefined) {
      throw new Error('no scheduler was started');
    }
    return first.api;
  }

  get pools(): readonly string[] {
    return this.options.pools ?? ['default'];
  }

  /** Where workers dial. */
  get grpcAddresses(): string[] {
    return this.#schedulers.map(({ grpcPort }) => `127.0.0.1:${grpcPort}`);
  }

  get ears(): readonly Ear[] {
    return this.#workers.map(({ ear }) => ear);
  }

  get schedulerPids(): number[] {
    return this.#schedulers.map(({ program }) => program.pid);
  }

  get workerPids(): number[] {
    return this.#workers.map(({ program }) => program.pid);
  }

  /** Of all schedulers, and of all workers with their executors. */
  cpuUs(): { schedulers: number; workers: number } {
    const executors = this.workerPids.flatMap((pid) => processesOfWorker(pid)).map(({ pid }) => pid);
    return {
      schedulers: cpuUsOf(this.schedulerPids),
      workers: cpuUsOf([...this.workerPids, ...executors]),
    };
  }

  async startWorkers(count: number): Promise<void> {
    const from = this.#workers.length + 1;
    for (let number = from; number < from + count; number += 1) {
      this.#launchWorker(number);
    }
    await this.#until('all workers are alive', async () => {
      const alive = (await this.workers()).filter(({ state }) => state === 'alive').map(({ id }) => id);
      return this.#workers.every(({ program }) => alive.includes(program.name));
    });
  }

  async workers(): Promise<WorkerView[]> {
    const found: WorkerView[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: WorkerPage = await this.get(`/api/v1/workers?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`);
      found.push(...page.items);
      cursor = page.nextCursor;
    }
    return found;
  }

  async get<T>(path: string): Promise<T> {
    const { status, text } = await this.api.request('GET', path);
    if (status !== 200) {
      throw new Error(`GET ${path} answered ${status}: ${text}`);
    }
    return JSON.parse(text) as T;
  }

  /** What all workers executed. */
  async ledger(): Promise<LedgerPage> {
    return mergePages(await Promise.all(this.ears.map((ear) => ear.ledger())));
  }

  /** As a service manager does it: SIGTERM, and each ends with 0; then nothing of it is left. */
  async stop(): Promise<void> {
    const pids = this.workerPids;
    try {
      for (const programs of [this.#workers, this.#schedulers]) {
        programs.forEach(({ program }) => program.signal('SIGTERM'));
        for (const { program } of programs) {
          const exit = await program.ended();
          if (exit.code !== 0) {
            throw new Error(`${program.name} ended with ${JSON.stringify(exit)}:\n${program.tail()}`);
          }
        }
      }
    } finally {
      await this.kill();
    }
    await waitUntil('nothing of the workers is left', () => pids.every((pid) => processesOfWorker(pid).length === 0), {
      withinMs: NOTHING_LEFT_WITHIN_MS,
    });
  }

  async kill(): Promise<void> {
    await Promise.all([...this.#workers, ...this.#schedulers].map(({ program }) => program.kill()));
  }

  describe(): string {
    const programs = [...this.#schedulers, ...this.#workers].map(({ program }) => program);
    return programs.map((program) => `--- ${program.name}\n${program.tail(10)}`).join('\n');
  }

  async #startScheduler(number: number): Promise<void> {
    const [httpPort, grpcPort] = [await freePort(), await freePort()];
    const name = `scheduler-${number}`;
    const program = this.#launch(name, 'apps/scheduler/dist/main.js', [
      `--redis-url=${this.run.redis.url}`,
      `--http-port=${httpPort}`,
      `--grpc-port=${grpcPort}`,
      ...(this.options.schedulerArgs ?? []),
    ]);
    this.#schedulers.push({ program, grpcPort, api: new Api(`http://127.0.0.1:${httpPort}`) });
  }

  async #schedulersReady(): Promise<void> {
    await this.#until('all schedulers are ready', async () => {
      const answers = await Promise.all(this.#schedulers.map(({ api }) => api.request('GET', '/readyz')));
      return answers.every(({ status }) => status === 200);
    });
  }

  #launchWorker(number: number): void {
    const id = `worker-${number}`;
    const { pools, poolsOf, ballastMib = 0 } = this.options;
    const own = poolsOf?.(number) ?? pools;
    const ear = new Ear(join(this.run.folder, `${id}.sock`));
    const args = [
      `--id=${id}`,
      `--schedulers=${this.grpcAddresses.join(',')}`,
      `--handlers=${HANDLERS}`,
      ...(own === undefined ? [] : [`--pools=${own.join(',')}`]),
    ];
    const env = { BENCH_EAR: ear.path, BENCH_BALLAST_MIB: String(ballastMib) };
    this.#workers.push({ program: this.#launch(id, 'apps/worker/dist/main.js', args, env), ear });
  }

  #launch(name: string, file: string, args: readonly string[], env: Record<string, string> = {}): Program {
    const { folder } = this.run;
    return new Program({ name, file, args, env, cwd: folder, logFile: join(folder, `${name}.log`) });
  }

  async #until(what: string, ask: () => Promise<boolean>): Promise<void> {
    const ended = (): Program | undefined =>
      [...this.#schedulers, ...this.#workers].find(({ program }) => program.exit !== undefined)?.program;
    const asked = await waitUntil(what, async () => ended() !== undefined || (await ask()), {
      withinMs: READY_WITHIN_MS,
      everyMs: 20,
    }).catch(() => false);
    if (asked === false || ended() !== undefined) {
      throw new Error(`not so: ${what}\n${this.describe()}`);
    }
  }
}
