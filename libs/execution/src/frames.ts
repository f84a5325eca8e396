import type { Duplex } from 'node:stream';
import { DefaultSerializer, deserialize } from 'node:v8';

import type { Clock, Timer } from '@orchestrator/core';

/** A frame beyond this is a defect: all that is sent is bounded far below. */
const MAX_FRAME_BYTES = 256 * 1024 * 1024;
const HEADER_BYTES = 4;
const NO_LENGTH = Buffer.alloc(HEADER_BYTES);
/** What can wait goes with the next frame, or after this. */
const LATER_MS = 5;
/** Live output waits while this much has not gone out. */
const CONGESTED_BYTES = 1024 * 1024;

/** Many jobs may end in one turn, each with megabytes of output: more than this does not wait for its end. */
const FULL_BYTES = 4 * 1024 * 1024;

export interface FrameChannelParams<In, Out = unknown> {
  stream: Duplex;
  /** Of what may be large: about how many bytes it takes. */
  weigh?: (message: Out) => number;
  onMessage: (message: In) => void;
  /** The other side is gone. Called once; all that it had sent was delivered before. */
  onClosed: () => void;
}

/**
 * Messages over a byte stream, both ways. What is sent within one turn of the event loop travels as one frame, unless it
 * is large: a length and a v8-serialised array.
 */
export class FrameChannel<Out, In> {
  /** Grows with each chunk that arrives: who waits for silence compares it. */
  received = 0;
  private readonly params: FrameChannelParams<In, Out>;
  private outgoing: Out[] = [];
  private outgoingBytes = 0;
  private incoming: Buffer[] = [];
  private incomingBytes = 0;
  private closed = false;
  private isFlushDue = false;
  private later: Timer | undefined;

  constructor(params: FrameChannelParams<In, Out>) {
    this.params = params;
    params.stream.on('data', (chunk: Buffer) => this.accept(chunk));
    params.stream.on('error', () => this.close());
    params.stream.on('end', () => this.close());
    params.stream.on('close', () => this.close());
  }

  send(message: Out): void {
    if (this.closed) {
      return;
    }
    if (!this.isFlushDue) {
      this.isFlushDue = true;
      setImmediate(() => this.flush());
    }
    this.add(message);
  }

  /** In its order, and soon, but it is worth no frame of its own. */
  sendLater(clock: Clock, message: Out): void {
    if (this.closed) {
      return;
    }
    if (!this.isFlushDue) {
      this.later ??= clock.setTimer(LATER_MS, () => this.flush());
    }
    this.add(message);
  }

  private add(message: Out): void {
    this.outgoing.push(message);
    this.outgoingBytes += this.params.weigh?.(message) ?? 0;
    if (this.outgoingBytes > FULL_BYTES) {
      this.flush();
    }
  }

  flush(): void {
    this.isFlushDue = false;
    this.later?.cancel();
    this.later = undefined;
    if (this.outgoing.length === 0 || this.closed) {
      return;
    }
    const frame = toFrame(this.outgoing);
    this.outgoing = [];
    this.outgoingBytes = 0;
    this.params.stream.write(frame);
  }

  get congested(): boolean {
    return this.params.stream.writableLength > CONGESTED_BYTES;
  }

  /**
   * Resolves when a whole turn of the event loop brought nothing. After SIGCONT timers fire before sockets are read, so
   * whoever is about to act on a silence first waits for this.
   */
  async quiet(): Promise<void> {
    for (let before = -1; before !== this.received && !this.closed;) {
      before = this.received;
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  destroy(): void {
    this.params.stream.destroy();
    this.close();
  }

  private accept(chunk: Buffer): void {
    this.received += 1;
    this.incoming.push(chunk);
    this.incomingBytes += chunk.length;
    for (let frame = this.takeFrame(); frame !== undefined; frame = this.takeFrame()) {
      for (const message of deserialize(frame) as In[]) {
        this.params.onMessage(message);
      }
    }
  }

  private takeFrame(): Buffer | undefined {
    if (this.incomingBytes < HEADER_BYTES) {
      return undefined;
    }
    if ((this.incoming[0]?.length ?? 0) < HEADER_BYTES) {
      this.incoming = [Buffer.concat(this.incoming)];
    }
    const length = this.incoming[0]?.readUInt32LE() ?? 0;
    if (length > MAX_FRAME_BYTES) {
      this.destroy();
      return undefined;
    }
    if (this.incomingBytes < HEADER_BYTES + length) {
      return undefined;
    }
    const all = this.incoming.length === 1 ? (this.incoming[0] ?? Buffer.alloc(0)) : Buffer.concat(this.incoming);
    const rest = all.subarray(HEADER_BYTES + length);
    this.incoming = rest.length === 0 ? [] : [rest];
    this.incomingBytes = rest.length;
    return all.subarray(HEADER_BYTES, HEADER_BYTES + length);
  }

  private close(): void {
    if (!this.closed) {
      this.closed = true;
      this.later?.cancel();
      this.params.onClosed();
    }
  }
}

/** Header and body in one buffer: one write. */
function toFrame(messages: readonly unknown[]): Buffer {
  const serializer = new DefaultSerializer();
  serializer.writeRawBytes(NO_LENGTH);
  serializer.writeHeader();
  serializer.writeValue(messages);
  const frame = serializer.releaseBuffer();
  frame.writeUInt32LE(frame.length - HEADER_BYTES);
  return frame;
}
