import { Helper, withHelper } from '../ipc/helper.js';
import { type LedgerPage, requireOnceEach } from '../ledger.js';
import type { Run } from '../workload.js';
import type { PacedPeer, PeerFill, PeerRun, PeerTask } from './peer-asks.js';

export type PeerKind = 'bullmq' | 'bee-queue';

/** A peer's process as the bench sees it. */
export class QueuePeer {
  private constructor(
    private readonly helper: Helper,
    private readonly kind: PeerKind,
  ) {}

  static with<T>(kind: PeerKind, { redis }: Run, work: (peer: QueuePeer) => Promise<T>): Promise<T> {
    const helper = new Helper('peers/queue-peer', [kind, String(redis.port)]);
    return withHelper(helper, () => work(new QueuePeer(helper, kind)));
  }

  fill(count: number, options: Pick<PeerFill, 'keep'> = {}): Promise<PeerRun> {
    return this.helper.ask('fill', { ...options, count });
  }

  drain(task: PeerTask): Promise<PeerRun> {
    return this.helper.ask('drain', task);
  }

  fillAndDrain(task: PeerTask): Promise<PeerRun> {
    return this.helper.ask('fillAndDrain', task);
  }

  paced(params: PacedPeer): Promise<{ sentMs: number[]; resultMs: number[] }> {
    return this.helper.ask('paced', params);
  }

  ledger(): Promise<LedgerPage> {
    return this.helper.ask('ledger');
  }

  /** @throws {Error} unless each job was executed once. */
  async checkExecuted(count: number): Promise<void> {
    requireOnceEach(await this.ledger(), count, this.kind);
  }

  /** @throws {Error} unless each job was executed once and its queue is empty. */
  async check(count: number): Promise<void> {
    await this.checkExecuted(count);
    const left = await this.helper.ask<string[]>('leftovers');
    if (left.length > 0) {
      throw new Error(`left in ${this.kind}: ${left.join(', ')}`);
    }
  }
}
