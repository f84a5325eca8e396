import { type Clock, sleep, type Timer } from '@orchestrator/core';
import { connectivityState } from '@grpc/grpc-js';
import { createDeferred, withTimeout } from '@orchestrator/lifecycle';
import {
  type OutputMessage,
  type WorkerMessage,
  type WorkerServiceClient,
  WholeMessages,
} from '@orchestrator/proto-types';
import { type Channel, ClientError, createClient, Metadata, Status } from 'nice-grpc';

import { describeTlsTrouble } from './tls-trouble.js';
import type { LinkClosed, LinkPeer, SchedulerLink } from './transport.js';
import { WakeUp } from './wake-up.js';

/** A broken output stream is opened again after this, while its link lives. */
export const OUTPUT_REOPEN_MS = 500;

/**
 * Between the end of the one stream and the cancelling of the other. @grpc/grpc-js tells its calls that their connection is
 * lost before it destroys the HTTP/2 session. A stream of that session that is cancelled in between makes Node 20
 * (`Http2Stream::SubmitRstStream`, `SendPendingData`) produce frames of the other, destroyed one without end, on the main
 * thread: the worker is stuck for good and its memory grows by 300 MB a second. After this the session is gone, and
 * nothing is left to cancel. To be removed when a Node without that loop is the oldest one supported.
 */
const SESSION_ENDS_MS = 50;

export interface GrpcLinkParams {
  address: string;
  channel: Channel;
  /** Over TLS. */
  isSecure: boolean;
  metadata: Metadata;
  clock: Clock;
  peer: LinkPeer;
  connectLimitMs: number | undefined;
}

/**
 * The two streams to one scheduler. nice-grpc takes the next message from a generator only when HTTP/2 has room for it,
 * so back-pressure reaches the peer's `pull` by itself. It never returns the generators of a broken call, though: they
 * end on our own signal.
 */
export class GrpcLink implements SchedulerLink {
  readonly address: string;
  private readonly client: WorkerServiceClient;
  private readonly ending = new AbortController();
  private readonly ended = createDeferred();
  private readonly work = new WakeUp();
  private readonly outputWork = new WakeUp();
  private output: 'closed' | 'open' | 'broken' = 'closed';
  private reopenTimer: Timer | undefined;
  private connectTimer: Timer | undefined;
  private closedBecause: LinkClosed = { kind: 'finished', detail: 'closed' };
  private finishing = false;

  constructor(private readonly params: GrpcLinkParams) {
    this.address = params.address;
    this.client = createClient(WholeMessages, params.channel);
  }

  start(): void {
    const { connectLimitMs, clock } = this.params;
    if (connectLimitMs !== undefined) {
      this.connectTimer = clock.setTimer(connectLimitMs, () => this.requireConnection(connectLimitMs));
    }
    void this.connect();
  }

  wake(): void {
    this.work.call();
  }

  wakeOutput(): void {
    this.outputWork.call();
    if (this.output === 'closed' && !this.ending.signal.aborted) {
      this.output = 'open';
      void this.sendOutput();
    }
  }

  async finish(limitMs: number): Promise<void> {
    this.finishing = true;
    this.work.call();
    await withTimeout(this.params.clock, limitMs, 'the end of the stream', this.ended.promise).catch(() => undefined);
    this.close();
  }

  close(): void {
    this.ending.abort();
    this.connectTimer?.cancel();
    this.reopenTimer?.cancel();
    this.params.channel.close();
  }

  /** gRPC itself waits for minutes for a host that answers nothing. */
  private requireConnection(limitMs: number): void {
    if (this.params.channel.getConnectivityState(false) !== connectivityState.READY) {
      this.closedBecause = { kind: 'lost', detail: `no connection within ${limitMs} ms` };
      this.close();
    }
  }

  private async connect(): Promise<void> {
    const { peer, metadata, isSecure } = this.params;
    const { signal } = this.ending;
    let why: LinkClosed = { kind: 'lost', detail: 'the scheduler ended the stream' };
    try {
      for await (const message of this.client.connect(this.messages(), { metadata, signal })) {
        peer.message(message);
      }
    } catch (error) {
      why = signal.aborted ? this.closedBecause : describe(error, isSecure);
    }
    if (!signal.aborted) {
      await sleep(this.params.clock, SESSION_ENDS_MS, signal);
    }
    this.close();
    this.ended.resolve();
    peer.closed(why);
  }

  private async *messages(): AsyncGenerator<WorkerMessage> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      const message = this.params.peer.pull();
      if (message !== undefined) {
        yield message;
      } else if (this.finishing) {
        return;
      } else {
        await this.work.wait(signal);
      }
    }
  }

  private async sendOutput(): Promise<void> {
    const { peer, clock } = this.params;
    const metadata = Metadata(this.params.metadata);
    metadata.set('orchestrator-worker', peer.worker).set('orchestrator-session', peer.session);
    const { signal } = this.ending;
    const streamEnding = new AbortController();
    const onAbort = (): void => streamEnding.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const chunks = this.outputMessages(streamEnding.signal);
      for await (const { marks } of this.client.output(chunks, { metadata, signal: streamEnding.signal })) {
        peer.outputAcknowledged(marks);
      }
    } catch {
      // Whatever it was: the stream is opened again, and the main stream knows better why.
    }
    streamEnding.abort();
    signal.removeEventListener('abort', onAbort);
    if (!signal.aborted) {
      this.output = 'broken';
      peer.outputLost();
      this.reopenTimer = clock.setTimer(OUTPUT_REOPEN_MS, () => {
        this.output = 'closed';
        this.wakeOutput();
      });
    }
  }

  private async *outputMessages(signal: AbortSignal): AsyncGenerator<OutputMessage> {
    while (!signal.aborted) {
      const message = this.params.peer.pullOutput();
      if (message !== undefined) {
        yield message;
      } else {
        await this.outputWork.wait(signal);
      }
    }
  }
}

function describe(error: unknown, isSecure: boolean): LinkClosed {
  if (error instanceof ClientError) {
    const { code, details } = error;
    const trouble = code === Status.UNAVAILABLE ? describeTlsTrouble(details, isSecure) : undefined;
    if (trouble !== undefined) {
      return { kind: 'lost', detail: trouble, isMisconfigured: true };
    }
    const isRefusal = code === Status.UNAUTHENTICATED || code === Status.PERMISSION_DENIED;
    return { kind: isRefusal ? 'refused' : 'lost', detail: `${Status[code]}: ${details}` };
  }
  return { kind: 'lost', detail: String(error) };
}
