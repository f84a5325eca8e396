import type { OutputCounts } from '@orchestrator/core';

import type { ExecutorOutput, OutputStreamName } from '../executor.js';
import { StreamCapture } from './stream-capture.js';

export const CHUNK_BYTES = 16 * 1024;
/** Sent and not acknowledged, of one attempt. With this much under way nothing more is sent. */
export const WINDOW_BYTES = 128 * 1024;

const STREAMS: readonly OutputStreamName[] = ['stdout', 'stderr'];

/** The captured output of one attempt: what of it is where. */
export class AttemptOutput {
  private readonly captures: Record<OutputStreamName, StreamCapture>;
  private readonly sentTo: Record<OutputStreamName, number> = { stdout: 0, stderr: 0 };
  private unacknowledged: ExecutorOutput[] = [];
  private sequence = 0;

  constructor(
    private readonly attemptId: string,
    capBytes: number,
  ) {
    this.captures = { stdout: new StreamCapture(capBytes), stderr: new StreamCapture(capBytes) };
  }

  append(stream: OutputStreamName, chunk: Buffer): void {
    this.captures[stream].append(chunk);
  }

  get bytes(): number {
    return this.captures.stdout.total + this.captures.stderr.total;
  }

  get hasUnsent(): boolean {
    return STREAMS.some((stream) => this.sentTo[stream] < this.captures[stream].total);
  }

  /** Up to `limit` bytes to send now, as far as the window allows. They are kept until they are acknowledged. */
  takeLive(limit: number): ExecutorOutput[] {
    const underWay = this.unacknowledged.reduce((sum, chunk) => sum + chunk.data.length, 0);
    const taken = this.take(Math.min(limit, WINDOW_BYTES - underWay));
    this.unacknowledged.push(...taken);
    return taken;
  }

  /**
   * All that was not acknowledged, what was sent before first: at most the cap of each stream, so without what was sent
   * of the middle that is no longer held.
   */
  takeAll(): ExecutorOutput[] {
    return [...this.unacknowledged.flatMap((chunk) => this.stillHeld(chunk)), ...this.take(Infinity)];
  }

  acknowledge(stream: OutputStreamName, endOffset: number): void {
    this.unacknowledged = this.unacknowledged.filter(
      (chunk) => chunk.stream !== stream || chunk.offset + chunk.data.length > endOffset,
    );
  }

  counts(): OutputCounts {
    const { stdout, stderr } = this.captures;
    return { stdoutBytes: stdout.total, stderrBytes: stderr.total, truncated: stdout.truncated || stderr.truncated };
  }

  private stillHeld(chunk: ExecutorOutput): ExecutorOutput[] {
    const from = this.captures[chunk.stream].heldFrom(chunk.offset) - chunk.offset;
    return from < chunk.data.length ? [{ ...chunk, offset: chunk.offset + from, data: chunk.data.subarray(from) }] : [];
  }

  private take(limit: number): ExecutorOutput[] {
    const chunks: ExecutorOutput[] = [];
    let left = limit;
    for (const stream of STREAMS) {
      const capture = this.captures[stream];
      for (;;) {
        const offset = capture.heldFrom(this.sentTo[stream]);
        if (offset >= capture.total || left <= 0) {
          break;
        }
        const data = capture.read(offset, Math.min(CHUNK_BYTES, left));
        chunks.push({ attemptId: this.attemptId, stream, offset, sequence: (this.sequence += 1), data });
        this.sentTo[stream] = offset + data.length;
        left -= data.length;
      }
    }
    return chunks;
  }
}
