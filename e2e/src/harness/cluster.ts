import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort, startRedis, type TestRedis } from '@orchestrator/testing';

import { Api } from './api.js';
import { processesOfWorker } from './processes.js';
import { Program } from './program.js';
import { letPass, waitUntil } from './wait.js';

const READY_WITHIN_MS = 30_000;
/** Commands are gone within a second; the executor may try for a while to tell a scheduler of it. */
const LEFTOVERS_GONE_WITHIN_MS = 15_000;

export interface WorkerOptions {
  slots?: number;
  args?: string[];
  env?: Record<string, string>;
}

export interface ClusterOptions {
  /** Started and awaited, by id. */
  workers?: string[];
  slots?: number;
  httpPort?: number;
  schedulerArgs?: string[];
  /** With what the API is asked, where the scheduler asks for a token. */
  apiHeaders?: Record<string, string>;
  /** Default: over plain text. */
  api?: (port: number) => Api;
  /** Of each worker. */
  workerArgs?: (id: string) => string[];
}

/** A Redis, a scheduler and workers of one test, as real processes on ports and in a folder of their own. */
export class Cluster {
  readonly redis: TestRedis;
  readonly folder = mkdtempSync(join(tmpdir(), 'orchestrator-e2e-'));
  readonly api: Api;
  readonly httpPort: number;
  readonly grpcPort: number;
  scheduler!: Program;
  readonly #schedulerArgs: readonly string[];
  readonly #workerArgs: (id: string) => string[];
  readonly #programs: Program[] = [];
  readonly #workerIds = new Set<string>();

  private constructor(redis: TestRedis, ports: { http: number; grpc: number }, options: ClusterOptions) {
    this.redis = redis;
    this.httpPort = ports.http;
    this.grpcPort = ports.grpc;
    this.#schedulerArgs = options.schedulerArgs ?? [];
    this.#workerArgs = options.workerArgs ?? (() => []);
    this.api = options.api?.(ports.http) ?? new Api(`http://127.0.0.1:${ports.http}`, options.apiHeaders);
  }

  /** Everything ready: /readyz says so and the workers named are alive. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const redis = await startRedis({ persistent: true });
    const ports = { http: options.httpPort ?? (await freePort()), grpc: await freePort() };
    const cluster = new Cluster(redis, ports, options);
    try {
      await cluster.startScheduler();
      const ids = options.workers ?? [];
      await Promise.all(ids.map((id) => cluster.startWorker(id, { slots: options.slots ?? 2 })));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async startScheduler(): Promise<Program> {
    this.scheduler = this.launch('scheduler', 'apps/scheduler/dist/main.js', [
      `--redis-url=${this.redis.url}`,
      `--http-port=${this.httpPort}`,
      `--grpc-port=${this.grpcPort}`,
      ...this.#schedulerArgs,
    ]);
    await this.#until(this.scheduler, 'the scheduler is ready', async () => {
      return (await this.api.request('GET', '/readyz')).status === 200;
    });
    return this.scheduler;
  }

  async startWorker(id: string, options: WorkerOptions = {}): Promise<Program> {
    const worker = this.launchWorker(id, options);
    await this.#until(worker, `${id} is alive`, async () => {
      return (await this.api.workers()).some((each) => each.id === id && each.state === 'alive');
    });
    return worker;
  }

  /** Starts it and waits for nothing. */
  launchWorker(id: string, { slots = 2, args = [], env = {} }: WorkerOptions = {}): Program {
    this.#workerIds.add(id);
    const flags = [
      `--id=${id}`,
      `--schedulers=127.0.0.1:${this.grpcPort}`,
      `--slots=${slots}`,
      ...this.#workerArgs(id),
      ...args,
    ];
    const worker = this.launch(id, 'apps/worker/dist/main.js', flags, env);
    writeFileSync(this.file(`pid.${id}`), String(worker.pid));
    return worker;
  }

  /** Starts `worker-N+1` when `worker-N` has died, and so on; call what it answers to end that. */
  replaceDeadWorkers(options: WorkerOptions = {}): () => Promise<void> {
    let number = 1;
    let stopped = false;
    const loop = (async () => {
      while (!stopped) {
        if (this.workerNamed(`worker-${number}`).exit !== undefined) {
          number += 1;
          this.launchWorker(`worker-${number}`, options);
        }
        await letPass(100);
      }
    })();
    return async () => {
      stopped = true;
      await loop;
    };
  }

  launch(name: string, file: string, args: readonly string[], env: Record<string, string> = {}): Program {
    const program = new Program({ name, file, args, env, cwd: this.folder });
    this.#programs.push(program);
    return program;
  }

  /** The program that was started last under this name. */
  workerNamed(id: string): Program {
    const found = this.#programs.findLast((program) => program.name === id);
    if (found === undefined) {
      throw new Error(`no worker "${id}" was started`);
    }
    return found;
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** Kills all that is left, workers first, and fails when something of a worker outlives that. */
  async stop(): Promise<void> {
    const isWorker = (program: Program): boolean => this.#workerIds.has(program.name);
    await Promise.all(this.#programs.filter(isWorker).map((program) => program.kill()));
    try {
      await waitUntil(
        `nothing of ${[...this.#workerIds].join(', ')} is left`,
        () => this.#programs.filter(isWorker).every(({ pid }) => processesOfWorker(pid).length === 0),
        { withinMs: LEFTOVERS_GONE_WITHIN_MS },
      );
    } finally {
      await Promise.all(this.#programs.map((program) => program.kill()));
      await this.redis.stop();
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  /** The last lines of everybody, for a failed assertion. */
  describe(): string {
    return this.#programs.map((program) => `--- ${program.name}\n${program.tail()}`).join('\n');
  }

  async #until(program: Program, what: string, ask: () => Promise<boolean>): Promise<void> {
    const failed = (): string => `${what}: not so; ${program.name} says\n${program.tail()}`;
    const ended = await waitUntil(what, async () => program.exit !== undefined || (await ask()), {
      withinMs: READY_WITHIN_MS,
    }).catch(() => true);
    if (program.exit !== undefined || !(ended && (await ask().catch(() => false)))) {
      throw new Error(failed());
    }
  }
}
