import { ACKNOWLEDGEMENT_LAG, type RenewalReply } from '@orchestrator/heartbeat';
import type { Heartbeat, SchedulerMessage } from '@orchestrator/proto-types';
import type { Logger } from '@orchestrator/telemetry';

import type { DispatchCounters } from './counters.js';
import type { HeartbeatRenewer } from './heartbeat-renewer.js';
import { type WedgeSample, WedgeWatch } from './wedge-watch.js';
import type { CloseReason } from './worker-link.js';

export interface HeartbeatDeps {
  renewer: HeartbeatRenewer;
  counters: DispatchCounters;
}

/** What a stream does because of the heartbeats on it. */
export interface BeatingStream {
  readonly logger: Logger;
  readonly session: string;
  readonly epoch: number | undefined;
  sample(heartbeat: Heartbeat): WedgeSample;
  rehello(reason: string): void;
  drain(reason: string): void;
  refuse(reply: Exclude<RenewalReply, { status: 'alive' | 'stale_epoch' }>): void;
  /** This session has pushed out another one of its worker's id. */
  superseded(session: string): void;
  tell(message: NonNullable<SchedulerMessage['message']>): void;
  end(reason: CloseReason): void;
}

interface UnderWay {
  renewal: Promise<RenewalReply>;
  sequence: number;
}

/**
 * The side of a stream that renews its session: a heartbeat is acknowledged after the renewal is in Redis, and looked
 * at for what is not health (rule 5): acknowledgements that do not arrive, and a worker that takes no work.
 */
export class ConnectionHeartbeats {
  private acknowledged = 0;
  private underWay: UnderWay | undefined;
  private readonly watch = new WedgeWatch();

  constructor(
    private readonly stream: BeatingStream,
    private readonly deps: HeartbeatDeps,
  ) {}

  /** A Welcome. */
  restart(): void {
    this.acknowledged = 0;
    this.underWay = undefined;
    this.watch.restart();
  }

  receive(heartbeat: Heartbeat): void {
    const { epoch, session } = this.stream;
    if (epoch === undefined || heartbeat.epoch !== epoch) {
      return;
    }
    if (this.acknowledged - heartbeat.acknowledged >= ACKNOWLEDGEMENT_LAG) {
      const detail = `it has seen ${heartbeat.acknowledged} acknowledged, ${this.acknowledged} was sent`;
      this.stream.end({ code: 'UNACKNOWLEDGED', detail });
      return;
    }
    const trouble = this.look(heartbeat);
    const { sequence, freeSlots, load, memoryUsedBytes, memoryTotalBytes } = heartbeat;
    const usage = { freeSlots, load, memoryUsedBytes, memoryTotalBytes };
    const renewal = this.deps.renewer.renew({ session, epoch, ...usage, wedged: this.watch.isWedged });
    if (this.underWay?.renewal === renewal) {
      // Several that arrived together are one renewal, and one acknowledgement.
      this.underWay.sequence = sequence;
    } else {
      void this.await({ renewal, sequence }, epoch);
    }
    if (trouble !== undefined) {
      this.stream.rehello(`it beats but takes no work: ${trouble}`);
    }
  }

  private async await(underWay: UnderWay, epoch: number): Promise<void> {
    this.underWay = underWay;
    try {
      const reply = await underWay.renewal;
      if (this.stream.epoch === epoch) {
        this.renewed(epoch, underWay.sequence, reply);
      }
    } catch (error) {
      this.stream.logger.debug('a heartbeat was not renewed', { error });
    }
  }

  private renewed(epoch: number, sequence: number, reply: RenewalReply): void {
    const { stream } = this;
    if (reply.status === 'stale_epoch') {
      this.deps.counters.staleEpochs += 1;
      stream.end({ code: 'STALE_HELLO', detail: `epoch ${epoch} is over, the session is at ${reply.epoch}` });
      return;
    }
    if (reply.status !== 'alive') {
      stream.refuse(reply);
      return;
    }
    this.acknowledged = Math.max(this.acknowledged, sequence);
    stream.tell({ $case: 'heartbeatAck', value: { sequence } });
    if (reply.draining) {
      stream.drain('asked for');
    }
    if (reply.superseded !== undefined) {
      stream.superseded(reply.superseded);
    }
  }

  /** Named once; a Hello then brings back what it was assigned and does not hold. */
  private look(heartbeat: Heartbeat): string | undefined {
    const wasWedged = this.watch.isWedged;
    const trouble = this.watch.beat(this.stream.sample(heartbeat));
    if (trouble !== undefined) {
      this.deps.counters.wedged += 1;
      this.stream.logger.warn('worker is wedged: it beats but takes no work', { seen: trouble });
    } else if (wasWedged && !this.watch.isWedged) {
      this.stream.logger.info('worker takes work again');
    }
    return trouble;
  }
}
