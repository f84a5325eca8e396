import type { Renewal, RenewalReply, SessionRegistry } from '@orchestrator/heartbeat';
import { createDeferred, type Deferred } from '@orchestrator/lifecycle';

interface Waiting {
  renewal: Renewal;
  reply: Deferred<RenewalReply>;
}

const MAX_RENEWALS = 250;

/**
 * Renews sessions a batch at a time: one call is under way, what arrives meanwhile gathers behind it, the newest per
 * session. A renewal that fails is not repeated: the next heartbeat is.
 */
export class HeartbeatRenewer {
  private waiting = new Map<string, Waiting>();
  private running = false;

  constructor(private readonly registry: SessionRegistry) {}

  /** Resolves when it is in Redis; rejects when nobody knows. */
  renew(renewal: Renewal): Promise<RenewalReply> {
    const earlier = this.waiting.get(renewal.session);
    // Only of the same epoch: an answer to a newer one says nothing about it.
    if (earlier?.renewal.epoch === renewal.epoch) {
      earlier.renewal = renewal;
      return earlier.reply.promise;
    }
    earlier?.reply.reject(new Error('a newer heartbeat of the session took its place'));
    const entry = { renewal, reply: createDeferred<RenewalReply>() };
    this.waiting.set(renewal.session, entry);
    if (!this.running) {
      this.running = true;
      void this.run();
    }
    return entry.reply.promise;
  }

  private async run(): Promise<void> {
    while (this.waiting.size > 0) {
      const batch = [...this.waiting.values()].slice(0, MAX_RENEWALS);
      for (const { renewal } of batch) {
        this.waiting.delete(renewal.session);
      }
      try {
        const replies = await this.registry.renew(batch.map(({ renewal }) => renewal));
        for (const [index, { reply }] of batch.entries()) {
          const answer = replies[index];
          if (answer === undefined) {
            reply.reject(new Error(`the registry answered ${replies.length} of ${batch.length} renewals`));
          } else {
            reply.resolve(answer);
          }
        }
      } catch (error) {
        for (const { reply } of batch) {
          reply.reject(error);
        }
      }
    }
    this.running = false;
  }
}
