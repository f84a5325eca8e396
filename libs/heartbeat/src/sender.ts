import type { Clock, Timer } from '@orchestrator/core';
import type { Service } from '@orchestrator/lifecycle';

import { ACKNOWLEDGEMENT_LAG, SILENT_INTERVALS } from './timings.js';

/** What the sender knows; the rest of a heartbeat (epoch, slots, load) is added by who sends it. */
export interface Beat {
  sequence: number;
  acknowledged: number;
}

/** `silent`: no acknowledgement for two intervals. `lagging`: heartbeats go out, acknowledgements do not come back. */
export type HeartbeatTrouble = 'silent' | 'lagging';

export interface HeartbeatSenderParams {
  intervalMs: number;
  clock: Clock;
  /** A clock that goes on during suspend and that whoever enforces the lease reads, too (/proc/uptime). */
  boottimeMs(): number;
  send(beat: Beat): void;
  /** The lease counts from here: the sending, by `boottimeMs`, of what has been acknowledged. */
  onConfirmed(sentAtMs: number): void;
  /** Time to move to the next scheduler. Told once; the sender goes on until it is stopped. */
  onTrouble(trouble: HeartbeatTrouble): void;
}

/** More than these many unacknowledged ones are not remembered; long before, there is trouble. */
const MAX_UNACKNOWLEDGED = 100;

/**
 * The worker's side of the heartbeats on one stream, from its Welcome on: pure bookkeeping over a clock and a function
 * that sends. A lease is confirmed from the time at which the acknowledged heartbeat was SENT: what lies between may
 * have been a long time on the way.
 */
export class HeartbeatSender implements Service {
  readonly name = 'heartbeat sender';
  private sequence = 0;
  private lastAcknowledged = 0;
  private readonly sentAtMs = new Map<number, number>();
  private running = false;
  private troubled = false;
  private beatTimer: Timer | undefined;
  private silenceTimer: Timer | undefined;

  constructor(private readonly params: HeartbeatSenderParams) {}

  /** The first heartbeat is sent at once: it takes the place of the worker's id. */
  async start(): Promise<void> {
    if (this.running) {
      return;
    }
    this.running = true;
    this.watchForSilence(SILENT_INTERVALS * this.params.intervalMs);
    this.beat();
  }

  async stop(): Promise<void> {
    this.running = false;
    this.beatTimer?.cancel();
    this.silenceTimer?.cancel();
    this.sentAtMs.clear();
  }

  /** The highest sequence number seen acknowledged. */
  get acknowledged(): number {
    return this.lastAcknowledged;
  }

  /** Covers all before it. A number that was not sent, or is not higher than the last, changes nothing. */
  acknowledge(sequence: number): void {
    const sentAtMs = this.sentAtMs.get(sequence);
    if (!this.running || sentAtMs === undefined) {
      return;
    }
    this.lastAcknowledged = sequence;
    for (const sent of this.sentAtMs.keys()) {
      if (sent <= sequence) {
        this.sentAtMs.delete(sent);
      }
    }
    this.silenceTimer?.cancel();
    this.watchForSilence(SILENT_INTERVALS * this.params.intervalMs);
    this.params.onConfirmed(sentAtMs);
  }

  private beat(): void {
    const { clock, intervalMs } = this.params;
    this.beatTimer = clock.setTimer(intervalMs, () => this.beat());
    if (isLagging(this.sequence, this.lastAcknowledged)) {
      this.report('lagging');
    }
    if (!this.running) {
      return;
    }
    this.sequence += 1;
    this.sentAtMs.set(this.sequence, this.params.boottimeMs());
    this.sentAtMs.delete(this.sequence - MAX_UNACKNOWLEDGED);
    this.params.send({ sequence: this.sequence, acknowledged: this.lastAcknowledged });
  }

  private watchForSilence(delayMs: number): void {
    const { clock, intervalMs } = this.params;
    const dueMs = clock.monotonicMs() + delayMs;
    this.silenceTimer = clock.setTimer(delayMs, () => {
      if (clock.monotonicMs() - dueMs > intervalMs / 2) {
        // We were stopped ourselves: acknowledgements may lie unread in the socket.
        this.watchForSilence(intervalMs);
      } else {
        this.report('silent');
      }
    });
  }

  private report(trouble: HeartbeatTrouble): void {
    if (!this.troubled) {
      this.troubled = true;
      this.params.onTrouble(trouble);
    }
  }
}

/** For both sides: a heartbeat says what it has sent and what it has seen acknowledged. */
export function isLagging(sequence: number, acknowledged: number): boolean {
  return sequence - acknowledged >= ACKNOWLEDGEMENT_LAG;
}
