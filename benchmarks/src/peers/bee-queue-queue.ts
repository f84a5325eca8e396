import BeeQueue from 'bee-queue';

import type { JobData } from '../job-data.js';
import type { PeerQueue, PeerQueueParams, Work } from './peer-queue.js';

/** bee-queue at its best: finished jobs removed, nothing kept in memory, events only where they are measured. */
export class BeeQueueQueue implements PeerQueue {
  readonly #queue: BeeQueue<JobData>;
  readonly #events: boolean;
  #completed: (data: JobData) => void = () => undefined;

  constructor({ redisPort, name, events, keep }: PeerQueueParams) {
    this.#events = events;
    this.#queue = new BeeQueue<JobData>(name, {
      redis: { host: '127.0.0.1', port: redisPort },
      removeOnSuccess: keep !== true,
      storeJobs: events,
      sendEvents: events,
      getEvents: events,
      activateDelayedJobs: false,
    });
    this.#queue.on('error', fatal);
    this.#queue.on('failed', (_job, error) => fatal(error));
  }

  async fill(jobs: readonly JobData[]): Promise<void> {
    const errors = await this.#queue.saveAll(jobs.map((data) => this.#queue.createJob(data)));
    if (errors.size > 0) {
      throw new Error(`bee-queue could not save ${errors.size} jobs`);
    }
  }

  async add(data: JobData): Promise<void> {
    const job = this.#queue.createJob(data);
    if (this.#events) {
      job.once('succeeded', () => this.#completed(data));
    }
    await job.save();
  }

  async work(work: Work, concurrency: number, completed: (data: JobData) => void): Promise<void> {
    this.#completed = completed;
    await this.#queue.ready();
    if (!this.#events) {
      this.#queue.on('succeeded', ({ data }) => completed(data));
    }
    this.#queue.process(concurrency, ({ data }) => work(data));
  }

  async leftovers(): Promise<string[]> {
    const { waiting, active, failed, delayed } = await this.#queue.checkHealth();
    return Object.entries({ waiting, active, failed, delayed })
      .filter(([, count]) => count > 0)
      .map(([state, count]) => `${count} ${state}`);
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }
}

function fatal(error: Error): void {
  process.stderr.write(`bee-queue: ${error.stack ?? error.message}\n`);
  process.exit(1);
}
