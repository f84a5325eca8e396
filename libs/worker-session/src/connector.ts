import { type Clock, sleep } from '@orchestrator/core';
import { createDeferred, type Deferred } from '@orchestrator/lifecycle';
import type { LogFields, Logger } from '@orchestrator/telemetry';

import type { Dialing } from './dialing.js';
import { JoinRefusedError } from './errors.js';
import type { WorkerSession } from './session.js';
import type { SessionLink } from './session-params.js';
import type { LinkClosed, LinkPeer, SchedulerLink, SchedulerTransport } from './transport.js';

export interface ConnectorParams {
  transport: SchedulerTransport;
  dialing: Dialing;
  clock: Clock;
  logger: Logger;
}

const TELL_AGAIN_MS = 10_000;

/** Keeps a session linked to one scheduler after the other, until it is told to end. */
export class Connector implements SessionLink {
  private link: SchedulerLink | undefined;
  private gone: Deferred<LinkClosed> | undefined;
  private finishing = false;
  private toldAtMs: number | undefined;

  constructor(private readonly params: ConnectorParams) {}

  /**
   * Dials again and again until the signal aborts.
   * @throws {JoinRefusedError} when a scheduler refuses this worker.
   */
  async run(session: WorkerSession, signal: AbortSignal): Promise<void> {
    const { clock, dialing } = this.params;
    while (!signal.aborted && !this.finishing) {
      const address = dialing.address;
      const why = await this.linked(session, address, signal);
      if (why.kind === 'refused') {
        throw new JoinRefusedError(address, why.detail);
      }
      if (!signal.aborted && !this.finishing) {
        const waitMs = dialing.next();
        this.tellNoLink({ address, detail: why.detail, next: dialing.address, waitMs }, why.isMisconfigured);
        await sleep(clock, waitMs, signal);
      }
    }
  }

  /** Where the session's scheduler is, or would be dialed. */
  get address(): string {
    return this.link?.address ?? this.params.dialing.address;
  }

  wake(): void {
    this.link?.wake();
  }

  wakeOutput(): void {
    this.link?.wakeOutput();
  }

  welcomed(): void {
    this.params.dialing.welcomed();
    this.toldAtMs = undefined;
  }

  leave(reason: string): void {
    this.gone?.resolve({ kind: 'lost', detail: reason });
  }

  /** Lets the last messages out and does not dial again. */
  async finish(limitMs: number): Promise<void> {
    this.finishing = true;
    await this.link?.finish(limitMs);
  }

  /** At once, then now and then, however often it is dialed. */
  private tellNoLink(fields: LogFields, isMisconfigured = false): void {
    const { clock, logger } = this.params;
    const now = clock.monotonicMs();
    if (this.toldAtMs === undefined || now - this.toldAtMs >= TELL_AGAIN_MS) {
      this.toldAtMs = now;
      logger[isMisconfigured ? 'error' : 'warn']('no link to a scheduler; dialing again', fields);
    } else {
      logger.debug('no link to a scheduler; dialing again', fields);
    }
  }

  private async linked(session: WorkerSession, address: string, signal: AbortSignal): Promise<LinkClosed> {
    const gone = (this.gone = createDeferred<LinkClosed>());
    const onAbort = (): void => gone.resolve({ kind: 'finished', detail: 'stopped' });
    signal.addEventListener('abort', onAbort, { once: true });
    let open = true;
    const peer: LinkPeer = {
      worker: session.worker,
      session: session.id,
      pull: () => (open ? session.pull() : undefined),
      pullOutput: () => (open ? session.pullOutput() : undefined),
      message: (message) => (open ? session.receive(message) : undefined),
      outputAcknowledged: (marks) => (open ? session.outputAcknowledged(marks) : undefined),
      outputLost: () => (open ? session.outputLost() : undefined),
      closed: (why) => gone.resolve(why),
    };
    const { transport, dialing } = this.params;
    const link = (this.link = transport.open(address, peer, dialing.connectLimitMs));
    session.attach();
    const why = await gone.promise;
    open = false;
    this.link = undefined;
    session.detach();
    link.close();
    signal.removeEventListener('abort', onAbort);
    return why;
  }
}
