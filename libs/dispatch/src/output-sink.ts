import { type Clock, type Random, sleep } from '@orchestrator/core';
import {
  type AttemptRef,
  OutputStream,
  type OutputAck,
  type OutputMark,
  type OutputMessage,
} from '@orchestrator/proto-types';
import {
  MAX_BATCH,
  type OutputChunk,
  type OutputVerdict,
  type OutputWriter,
  type QueueStore,
  StaleCallError,
  StoreUnavailableError,
} from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import { parseAttempt, toOutputChunk } from './from-wire.js';
import { ForeignSessionError } from './last-will.js';
import { packFrames } from './pack-frames.js';
import { RetryDelay } from './retry-delay.js';

export interface OutputSinkDeps {
  store: QueueStore;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/** Bytes of one call to the store, but for a single larger chunk: settling does not wait long behind it. */
const BATCH_BYTES = 512 * 1024;

/** A claim was in a lost tail: so long its worker has to say that it holds it. It is asked to once a second. */
const ADOPTED_WITHIN_MS = 10_000;
const ADOPTION_POLL_MS = 250;

interface Entry {
  ref: AttemptRef;
  pool: string;
  chunk: OutputChunk;
}

interface Batch {
  pool: string;
  batch: readonly Entry[];
  writer: OutputWriter | undefined;
  signal: AbortSignal;
  marks: Map<string, OutputMark>;
}

/** Brings captured output into the store. */
export class OutputSink {
  constructor(private readonly deps: OutputSinkDeps) {}

  /**
   * Resolves with the acknowledgement when all of a message is stored, or refused for good. Who awaits it before reading
   * on keeps no more than one message in memory, and slows its worker down when the store is slow. While the store does
   * not answer it is tried again; rejects when the signal aborts, or when the store refuses it by an error.
   * @throws {ForeignSessionError} when an attempt in it is not the writer's
   */
  async accept(message: OutputMessage, signal: AbortSignal, writer?: OutputWriter): Promise<OutputAck> {
    const byPool = new Map<string, Entry[]>();
    for (const wire of message.chunks) {
      const attempt = parseAttempt(wire.attempt);
      const chunk = attempt && toOutputChunk(attempt, wire);
      if (attempt !== undefined && chunk !== undefined) {
        const { ref, pool } = attempt;
        byPool.set(pool, [...(byPool.get(pool) ?? []), { ref, pool, chunk }]);
      }
    }
    const marks = new Map<string, OutputMark>();
    for (const [pool, entries] of byPool) {
      for (const batch of packFrames(entries, bytesOf, { maxBytes: BATCH_BYTES, maxEntries: MAX_BATCH })) {
        await this.store({ pool, batch, writer, signal, marks });
      }
    }
    return { marks: [...marks.values()] };
  }

  /** What was lost with its claim is sent again until it is taken back, within limits: output of others waits behind it. */
  private async store({ pool, batch, writer, signal, marks }: Batch): Promise<void> {
    const { clock } = this.deps;
    let left = batch;
    let sinceMs: number | undefined;
    for (;;) {
      const chunks = left.map(({ chunk }) => chunk);
      const verdicts = await this.append(pool, chunks, writer, signal);
      if (writer !== undefined && verdicts.some(({ verdict }) => verdict === 'foreign')) {
        throw new ForeignSessionError(writer.session, writer.worker);
      }
      sinceMs ??= clock.monotonicMs();
      const mayWait = clock.monotonicMs() - sinceMs < ADOPTED_WITHIN_MS;
      left = left.filter((entry, index) => {
        const verdict = verdicts[index];
        const isAwaited = verdict?.verdict === 'lost' && mayWait;
        if (verdict !== undefined && !isAwaited) {
          mark(marks, entry, verdict);
        }
        return isAwaited;
      });
      if (left.length === 0) {
        return;
      }
      await sleep(clock, ADOPTION_POLL_MS, signal);
    }
  }

  private async append(
    pool: string,
    chunks: readonly OutputChunk[],
    writer: OutputWriter | undefined,
    signal: AbortSignal,
  ): Promise<OutputVerdict[]> {
    const delay = new RetryDelay(this.deps.random);
    for (;;) {
      signal.throwIfAborted();
      try {
        return await this.deps.store.appendOutput(pool, chunks, writer);
      } catch (error) {
        if (!(error instanceof StoreUnavailableError || error instanceof StaleCallError)) {
          throw error;
        }
        this.deps.logger.debug('output was not stored; it is sent again', { pool, chunks: chunks.length, error });
        await sleep(this.deps.clock, delay.next(), signal);
      }
    }
  }
}

/** The highest end of each stream. A refused chunk is acknowledged to its own end: the worker may forget it. */
function mark(marks: Map<string, OutputMark>, { ref, chunk }: Entry, verdict: OutputVerdict): void {
  const key = `${ref.attemptId} ${chunk.stream}`;
  const endOffset = verdict.verdict !== 'stored' ? chunk.offset + chunk.data.length : verdict.endOffset;
  const stream = chunk.stream === 'stdout' ? OutputStream.STDOUT : OutputStream.STDERR;
  const earlier = marks.get(key)?.endOffset ?? 0;
  marks.set(key, { attempt: ref, stream, endOffset: Math.max(earlier, endOffset) });
}

function bytesOf({ chunk }: Entry): number {
  return chunk.data.length + 128;
}
