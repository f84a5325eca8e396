import type { SchedulerMessage } from '@orchestrator/proto-types';

import { messageBytes } from './message-bytes.js';
import type { CloseReason, WorkerLink } from './worker-link.js';

export interface OutboxLimits {
  maxMessages: number;
  maxBytes: number;
}

export const DEFAULT_OUTBOX_LIMITS: OutboxLimits = { maxMessages: 4_096, maxBytes: 8 * 1024 * 1024 };

/**
 * What waits to be written to one worker: bounded, in order, read by one transport. A worker that lets it fill up is
 * cut off alone (`SLOW_CONSUMER`), and what waited for it is dropped: its next Hello brings everything back.
 */
export class Outbox implements WorkerLink, AsyncIterable<SchedulerMessage> {
  private messages: SchedulerMessage[] = [];
  private bytes = 0;
  private reason: CloseReason | undefined;
  private wakeReader: (() => void) | undefined;

  constructor(
    private readonly limits: OutboxLimits = DEFAULT_OUTBOX_LIMITS,
    /** It was closed; what lies in it is still to be read. */
    private readonly onClosed: (reason: CloseReason) => void = () => undefined,
  ) {}

  /** Why it was closed; undefined while it is open. */
  get closeReason(): CloseReason | undefined {
    return this.reason;
  }

  send(message: SchedulerMessage): boolean {
    if (this.reason !== undefined) {
      return false;
    }
    const bytes = messageBytes(message);
    const { maxMessages, maxBytes } = this.limits;
    // A single message may be larger than the limit: it travels alone.
    if (this.messages.length >= maxMessages || (this.messages.length > 0 && this.bytes + bytes > maxBytes)) {
      const detail = `${this.messages.length} messages of ${this.bytes} bytes are unsent`;
      this.messages = [];
      this.bytes = 0;
      this.close({ code: 'SLOW_CONSUMER', detail });
      return false;
    }
    this.messages.push(message);
    this.bytes += bytes;
    this.wakeReader?.();
    return true;
  }

  close(reason: CloseReason): void {
    if (this.reason === undefined) {
      this.reason = reason;
      this.wakeReader?.();
      this.onClosed(reason);
    }
  }

  /** Ends when it is closed and everything was read. One reader. */
  async *[Symbol.asyncIterator](): AsyncGenerator<SchedulerMessage, void, undefined> {
    for (;;) {
      const batch = this.messages;
      this.messages = [];
      this.bytes = 0;
      yield* batch;
      if (this.messages.length > 0) {
        continue;
      }
      if (this.reason !== undefined) {
        return;
      }
      await new Promise<void>((resolve) => (this.wakeReader = resolve));
      this.wakeReader = undefined;
    }
  }
}
