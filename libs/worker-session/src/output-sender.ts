import type { Clock, Timer } from '@orchestrator/core';
import type { ExecutorOutput, OutputStreamName } from '@orchestrator/execution';
import type { AttemptRef, OutputChunk, OutputMark, OutputMessage } from '@orchestrator/proto-types';

import { takeFrame } from './frames.js';
import { fromOutputStream, toOutputChunk } from './to-proto.js';

/** Output up to this travels inside the result, if none of it was streamed before. */
export const INLINE_OUTPUT_BYTES = 64 * 1024;
/** A result waits this long for its output to be safe; then it goes without the rest, marked as truncated. */
export const FLUSH_LIMIT_MS = 15_000;

const OVERHEAD_BYTES = 64;

export interface OutputSenderParams {
  clock: Clock;
  /** There is something to pull. */
  onReady(): void;
  /** The store has it, so the executor may forget it. */
  onAcknowledged(attemptId: string, stream: OutputStreamName, endOffset: number): void;
}

interface Source {
  ref: AttemptRef;
  /** Not acknowledged, in their order. The executor bounds them: it sends only so much ahead of acknowledgements. */
  chunks: OutputChunk[];
  /** Most attempts stream nothing: made with the first that is sent. */
  sent: Set<OutputChunk> | undefined;
  streamed: boolean;
  /** Ends of what was taken over, by stream. */
  taken: Partial<Record<OutputStreamName, number>>;
  /** Set once the attempt has ended. */
  flushed: ((complete: boolean) => void) | undefined;
  timer: Timer | undefined;
}

/**
 * The output of attempts on its way to the store. Each chunk is kept until it is acknowledged and sent again after a
 * broken stream. What ends before the executor tells anything of it never uses the stream at all.
 */
export class OutputSender {
  private readonly sources = new Map<string, Source>();

  constructor(private readonly params: OutputSenderParams) {}

  /** It runs and has written this. */
  add(ref: AttemptRef, output: ExecutorOutput): void {
    const source = this.sources.get(ref.attemptId) ?? newSource(ref);
    this.sources.set(ref.attemptId, source);
    source.streamed = true;
    take(source, output);
    this.params.onReady();
  }

  /**
   * The attempt has ended; `rest` is all that the executor still has, also what was taken over before. Answers the whole
   * output when it may travel inside the result. Else it is streamed, and `flushed` is called once: `complete` is false
   * when the limit passed.
   */
  finish(
    ref: AttemptRef,
    rest: readonly ExecutorOutput[],
    flushed: (complete: boolean) => void,
  ): OutputChunk[] | undefined {
    const known = this.sources.get(ref.attemptId);
    if (known === undefined && rest.length === 0) {
      return [];
    }
    const source = known ?? newSource(ref);
    for (const output of rest) {
      take(source, output);
    }
    const bytes = source.chunks.reduce((sum, chunk) => sum + chunk.data.length, 0);
    if (bytes === 0 || (!source.streamed && bytes <= INLINE_OUTPUT_BYTES)) {
      this.sources.delete(ref.attemptId);
      return source.chunks;
    }
    this.sources.set(ref.attemptId, source);
    source.streamed = true;
    source.flushed = flushed;
    source.timer = this.params.clock.setTimer(FLUSH_LIMIT_MS, () => this.complete(source, false));
    this.params.onReady();
    return undefined;
  }

  /** Nobody wants it any more. */
  drop(attemptId: string): void {
    this.sources.get(attemptId)?.timer?.cancel();
    this.sources.delete(attemptId);
  }

  /** One frame of what was not sent on this stream. */
  pull(): OutputMessage | undefined {
    const unsent: OutputChunk[] = [];
    for (const source of this.sources.values()) {
      if (source.streamed && (source.sent?.size ?? 0) < source.chunks.length) {
        unsent.push(...source.chunks.filter((chunk) => source.sent?.has(chunk) !== true));
      }
    }
    const chunks = takeFrame(unsent, (chunk) => chunk.data.length + OVERHEAD_BYTES);
    for (const chunk of chunks) {
      const source = this.sources.get(chunk.attempt?.attemptId ?? '');
      if (source !== undefined) {
        (source.sent ??= new Set()).add(chunk);
      }
    }
    return chunks.length === 0 ? undefined : { chunks };
  }

  acknowledged(marks: readonly OutputMark[]): void {
    for (const { attempt, stream, endOffset } of marks) {
      const source = this.sources.get(attempt?.attemptId ?? '');
      if (source !== undefined) {
        forgetUpTo(source, stream, endOffset);
        this.params.onAcknowledged(source.ref.attemptId, fromOutputStream(stream), endOffset);
        if (source.flushed !== undefined && source.chunks.length === 0) {
          this.complete(source, true);
        }
      }
    }
  }

  /** The stream broke: what was not acknowledged is sent again. */
  resendAll(): void {
    for (const source of this.sources.values()) {
      source.sent?.clear();
    }
  }

  close(): void {
    for (const id of [...this.sources.keys()]) {
      this.drop(id);
    }
  }

  private complete(source: Source, complete: boolean): void {
    this.drop(source.ref.attemptId);
    source.flushed?.(complete);
  }
}

function newSource(ref: AttemptRef): Source {
  return { ref, chunks: [], sent: undefined, streamed: false, taken: {}, flushed: undefined, timer: undefined };
}

/** Takes over what is not known yet. */
function take(source: Source, output: ExecutorOutput): void {
  const known = source.taken[output.stream] ?? 0;
  const skip = Math.max(0, known - output.offset);
  if (skip < output.data.length) {
    const fresh = { ...output, offset: output.offset + skip, data: output.data.subarray(skip) };
    source.taken[output.stream] = output.offset + output.data.length;
    source.chunks.push(toOutputChunk(source.ref, fresh));
  }
}

function forgetUpTo(source: Source, stream: OutputChunk['stream'], endOffset: number): void {
  source.chunks = source.chunks.filter((chunk) => {
    const stays = chunk.stream !== stream || chunk.offset + chunk.data.length > endOffset;
    if (!stays) {
      source.sent?.delete(chunk);
    }
    return stays;
  });
}
