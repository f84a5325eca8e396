import type { ServerResponse } from 'node:http';

import { type Clock, isFinal, type Job, type JobAddress, sleep, toJobId } from '@orchestrator/core';
import type { QueueStore } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import { requireJob } from './find-job.js';
import { toProblemError } from './problem.js';
import { OutputReader, type StreamName } from './stored-text.js';

export interface LogFollowerParams {
  store: Pick<QueueStore, 'getJobs' | 'outputEnds' | 'readOutput'>;
  clock: Clock;
  logger: Logger;
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
/**
 * One event waits at a time, and the rest stays in Redis' answer. A client that does not take one within this time reads
 * nothing, or less than some kilobytes a second: its connection is cut.
 */
export const STALLED_MS = 30_000;

/**
 * Sends captured output as Server-Sent Events while it grows: `stdout` and `stderr` with `{attempt, offset, text}`, and
 * at last `end` with the job's state. An outage of Redis only delays it.
 */
export class LogFollower {
  readonly #params: LogFollowerParams;
  #attempt: number;
  #reader: OutputReader;
  /** How far both streams went together when they were read last: below that there is nothing new. */
  #readTo = 0;
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
      if (clock.monotonicMs() - this.#lastSentMs > PING_MS) {
        await this.#write(': still here\n\n');
      }
      await sleep(clock, LOOK_MS, signal);
    }
    out.end();
    await this.#until('finish');
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
        this.#readTo = 0;
      }
      await this.#send(isOver);
      if (isOver) {
        await this.#event('end', { attempt: this.#attempt, state: job.state, exitCode: job.end?.exitCode ?? null });
      }
      return isOver;
    } catch (error) {
      const problem = toProblemError(error);
      if (problem.kind === 'store-unavailable') {
        return false;
      }
      await this.#event('end', { attempt: this.#attempt, problem: problem.toProblem() });
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
    const ends = await store.outputEnds(address.pool, address.ulid, this.#attempt);
    const hasMore = ends.stdout + ends.stderr > this.#readTo;
    const output = hasMore ? await store.readOutput(address.pool, address.ulid, this.#attempt) : undefined;
    this.#readTo = ends.stdout + ends.stderr;
    const pieces = this.#reader.take(output ?? { chunks: [] });
    for (const { stream, offset, data, leftOut } of [...pieces, ...(isLast ? this.#reader.end() : [])]) {
      const text = data.toString();
      await this.#event(stream, { attempt: this.#attempt, offset, text, ...(leftOut > 0 ? { leftOut } : {}) });
    }
  }

  async #event(name: string, data: object): Promise<void> {
    await this.#write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async #write(text: string): Promise<void> {
    const { clock, out, signal } = this.#params;
    if (!signal.aborted && !out.write(text)) {
      await this.#until('drain');
    }
    this.#lastSentMs = clock.monotonicMs();
  }

  /** Resolves when the client has taken what was sent, is gone, or was cut off because it takes nothing. */
  async #until(event: 'drain' | 'finish'): Promise<void> {
    const { address, clock, logger, out, signal } = this.#params;
    if (out.destroyed || signal.aborted || (event === 'finish' && out.writableFinished)) {
      return;
    }
    await new Promise<void>((resolve) => {
      const done = (): void => {
        timer.cancel();
        out.off(event, done).off('close', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = clock.setTimer(STALLED_MS, () => {
        const fields = {
          job: toJobId(address.pool, address.ulid),
          waitingBytes: out.writableLength,
          stalledMs: STALLED_MS,
        };
        logger.warn('a client that follows output reads too slowly: its connection was cut', fields);
        out.destroy();
        done();
      });
      out.once(event, done).once('close', done);
      signal.addEventListener('abort', done);
    });
  }
}
