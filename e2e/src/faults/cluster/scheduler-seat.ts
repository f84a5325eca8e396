import { freePort } from '@orchestrator/testing';

import { Api } from '../../harness/api.js';
import type { Program } from '../../harness/program.js';
import { waitUntil } from '../../harness/wait.js';
import { clockEnvironment } from './clock.js';
import type { FaultCluster } from './fault-cluster.js';
import { Link } from './link.js';
import { Seat } from './seat.js';

const READY_WITHIN_MS = 30_000;
const STATUS_WITHIN_MS = 2_000;

export interface SchedulerStatus {
  status: string;
  id: string;
  leader: boolean;
  /** Why it is not ready. */
  reason?: string;
}

interface SchedulerParts {
  cluster: FaultCluster;
  httpPort: number;
  grpcPort: number;
  redis: Link | undefined;
}

/** A scheduler with ports that it keeps. */
export class SchedulerSeat extends Seat {
  readonly api: Api;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly #cluster: FaultCluster;
  readonly #redis: Link | undefined;

  private constructor(name: string, { cluster, httpPort, grpcPort, redis }: SchedulerParts) {
    super(name, cluster.logFile(name));
    this.#cluster = cluster;
    this.httpPort = httpPort;
    this.grpcPort = grpcPort;
    this.#redis = redis;
    this.api = new Api(`http://127.0.0.1:${httpPort}`);
  }

  static async create(name: string, cluster: FaultCluster): Promise<SchedulerSeat> {
    const redis = cluster.options.links === true ? await Link.open(`${name}->redis`, cluster.redis.port) : undefined;
    return new SchedulerSeat(name, { cluster, httpPort: await freePort(), grpcPort: await freePort(), redis });
  }

  /** Its way to Redis. */
  get redis(): Link {
    if (this.#redis === undefined) {
      throw new Error('this cluster was started without `links: true`');
    }
    return this.#redis;
  }

  launch(): Program {
    const { folder, options } = this.#cluster;
    const network =
      options.network === true ? [`--grpc-host=${this.#cluster.network.address}`, '--auth-mode=none'] : [];
    return this.start({
      file: 'apps/scheduler/dist/main.js',
      launcher: options.schedulerLauncher ?? [],
      args: [
        ...this.#redisArgs(),
        `--http-port=${this.httpPort}`,
        `--grpc-port=${this.grpcPort}`,
        ...network,
        ...(options.schedulerArgs ?? []),
      ],
      env: { ...(options.clocks === true ? clockEnvironment(folder, this.name) : {}), ...options.env },
      cwd: folder,
    });
  }

  #redisArgs(): string[] {
    const { redis, sentinels } = this.#cluster;
    return sentinels === undefined
      ? [`--redis-url=redis://127.0.0.1:${this.#redis?.port ?? redis.port}`]
      : [`--redis-sentinels=${sentinels.sentinels.join(',')}`, `--redis-name=${sentinels.name}`];
  }

  async ready(withinMs = READY_WITHIN_MS): Promise<void> {
    const ready = async (): Promise<boolean> => (await this.status()).status === 'ready';
    await waitUntil(`${this.name} is ready`, ready, { withinMs }).catch((error: unknown) => {
      throw new Error(`${this.name} is not ready within ${withinMs} ms:\n${this.tail()}`, { cause: error });
    });
  }

  /** Starts it again on its ports, and waits. */
  async restart(): Promise<void> {
    await this.kill();
    this.launch();
    await this.ready();
  }

  async status(): Promise<SchedulerStatus> {
    const answer = await this.api.request('GET', '/readyz', undefined, { withinMs: STATUS_WITHIN_MS });
    return JSON.parse(answer.text) as SchedulerStatus;
  }

  /** The sum of a metric's samples whose labels contain all of these. */
  async metric(name: string, ...labels: string[]): Promise<number> {
    const { text } = await this.api.request('GET', '/metrics');
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => labels.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#redis?.close();
  }
}
