import type { ServerResponse } from 'node:http';

import { type Clock, isFinal, type Job, type JobAddress, sleep } from '@orchestrator/core';
import type { QueueStore } from '@orchestrator/queue';

import { requireJob } from './find-job.js';
import { toProblemError } from './problem.js';
import { OutputReader, type StreamName } from './stored-text.js';

export interface LogFollowerParams {
  store: Pick<QueueStore, 'getJobs' | 'readOutput'>;
  clock: Clock;
  address: JobAddress;
  /** Only this start; without it the job is followed from start to start until it is final. */
  attempt: number | undefined;
  stream: StreamName | undefined;
  out: ServerResponse;
  /** Aborts when the client is gone or the server stops. */
  signal: AbortSignal;
}

/** Output has no news of its own: it is looked at this often. */
const LOOK_MS = 500;
/** Tells proxies and clients that the stream is alive. */
const PING_MS = 15_000;
/** A client that is further behind than this is dropped. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/**
 * Sends captured output as Server-Sent Events while it grows: `stdout` and `stderr` with `{attempt, offset, text}`, and
 * at last `end` with the job's state. An outage of Redis only delays it.
 */
export class LogFollower {
  readonly #params: LogFollowerParams;
  #attempt: number;
  #reader: OutputReader;
  #lastSentMs: number;

  constructor(params: LogFollowerParams) {
    this.#params = params;
    this.#attempt = params.attempt ?? 0;
    this.#reader = new OutputReader(params.stream);
    this.#lastSentMs = params.clock.monotonicMs();
  }

  async run(): Promise<void> {
    const { clock, out, signal } = this.#params;
    while (!signal.aborted && !(await this.#look())) {
      if (out.writableLength > MAX_BUFFERED_BYTES) {
        out.destroy();
        return;
      }
      if (clock.monotonicMs() - this.#lastSentMs > PING_MS) {
        this.#write(': still here\n\n');
      }
      await sleep(clock, LOOK_MS, signal);
    }
    out.end();
  }

  /** Sends what is new. Answers whether that was all there will be. */
  async #look(): Promise<boolean> {
    try {
      // The job before its output: what was written before it ended is then there.
      const job = await requireJob(this.#params.store, this.#params.address);
      const isOver = this.#isOver(job);
      if (this.#params.attempt === undefined && job.starts !== this.#attempt) {
        await this.#send(this.#attempt > 0);
        this.#attempt = job.starts;
        this.#reader = new OutputReader(this.#params.stream);
      }
      await this.#send(isOver);
      if (isOver) {
        this.#event('end', { attempt: this.#attempt, state: job.state, exitCode: job.end?.exitCode ?? null });
      }
      return isOver;
    } catch (error) {
      const problem = toProblemError(error);
      if (problem.kind === 'store-unavailable') {
        return false;
      }
      this.#event('end', { attempt: this.#attempt, problem: problem.toProblem() });
      return true;
    }
  }

  #isOver(job: Job): boolean {
    const { attempt } = this.#params;
    const hasEnded =
      attempt !== undefined && (job.starts > attempt || (job.starts === attempt && job.state !== 'running'));
    return isFinal(job.state) || hasEnded;
  }

  async #send(isLast: boolean): Promise<void> {
    const { store, address } = this.#params;
    const output = this.#attempt > 0 ? await store.readOutput(address.pool, address.ulid, this.#attempt) : undefined;
    const pieces = this.#reader.take(output ?? { chunks: [] });
    for (const { stream, offset, text, leftOut } of [...pieces, ...(isLast ? this.#reader.end() : [])]) {
      this.#event(stream, { attempt: this.#attempt, offset, text, ...(leftOut > 0 ? { leftOut } : {}) });
    }
  }

  #event(name: string, data: object): void {
    this.#write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #write(text: string): void {
    this.#params.out.write(text);
    this.#lastSentMs = this.#params.clock.monotonicMs();
  }
}
