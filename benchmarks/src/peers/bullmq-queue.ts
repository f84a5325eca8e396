import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';

import type { JobData } from '../job-data.js';
import type { PeerQueue, PeerQueueParams, Work } from './peer-queue.js';

/** BullMQ at its best: ioredis, finished jobs removed, each role with a connection of its own. */
export class BullMqQueue implements PeerQueue {
  readonly #connections: Redis[] = [];
  readonly #queue: Queue<JobData>;
  #worker: Worker<JobData> | undefined;
  #events: QueueEvents | undefined;

  constructor(private readonly params: PeerQueueParams) {
    this.#queue = new Queue<JobData>(params.name, {
      connection: this.#connect(),
      defaultJobOptions: { removeOnComplete: params.keep !== true, removeOnFail: false },
    });
  }

  async fill(jobs: readonly JobData[]): Promise<void> {
    await this.#queue.addBulk(jobs.map((data) => ({ name: 'bench', data })));
  }

  async add(data: JobData): Promise<void> {
    await this.#queue.add('bench', data);
  }

  async work(work: Work, concurrency: number, completed: (data: JobData) => void): Promise<void> {
    const { events, name } = this.params;
    const worker = new Worker<JobData>(name, ({ data }) => work(data), {
      connection: this.#connect(),
      concurrency,
      autorun: false,
    });
    this.#worker = worker;
    worker.on('error', fatal);
    worker.on('failed', (_job, error) => fatal(error));
    if (events) {
      await this.#hearResults(completed);
    } else {
      worker.on('completed', ({ data }) => completed(data));
    }
    await worker.waitUntilReady();
    void worker.run().catch(fatal);
  }

  async leftovers(): Promise<string[]> {
    const counts = await this.#queue.getJobCounts();
    return Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([state, count]) => `${count} ${state}`);
  }

  async close(): Promise<void> {
    await this.#worker?.close();
    await this.#events?.close();
    await this.#queue.close();
    this.#connections.forEach((connection) => connection.disconnect());
  }

  /** The number of a job is what its processor returned: the record itself is removed by then. */
  async #hearResults(completed: (data: JobData) => void): Promise<void> {
    const events = new QueueEvents(this.params.name, { connection: this.#connect() });
    events.on('error', fatal);
    events.on('completed', ({ returnvalue }) => completed({ i: Number(returnvalue), pad: '' }));
    this.#events = events;
    await events.waitUntilReady();
  }

  #connect(): Redis {
    const connection = new Redis(this.params.redisPort, { maxRetriesPerRequest: null });
    this.#connections.push(connection);
    return connection;
  }
}

/** A peer that fails measures nothing: the process ends, and with it the round. */
function fatal(error: Error): void {
  process.stderr.write(`bullmq: ${error.stack ?? error.message}\n`);
  process.exit(1);
}
