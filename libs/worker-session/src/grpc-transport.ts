import type { SecureContext } from 'node:tls';

import type { Clock } from '@orchestrator/core';
import { withTimeout } from '@orchestrator/lifecycle';
import { type GoneRequest, WorkerServiceDefinition } from '@orchestrator/proto-types';
import {
  type Channel,
  ChannelCredentials,
  type ChannelOptions,
  createChannel,
  createClient,
  Metadata,
} from 'nice-grpc';

import { GrpcLink } from './grpc-link.js';
import type { LinkPeer, SchedulerLink, SchedulerTransport } from './transport.js';

/** Finds half-open connections: a scheduler that is gone without a word is noticed within five seconds. */
const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.keepalive_time_ms': 3_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  // A new link dials anew; with the pool of the process it would inherit the back-off of the one before.
  'grpc.use_local_subchannel_pool': 1,
  // Schedulers are reached directly, whatever HTTP proxy the environment names.
  'grpc.enable_http_proxy': 0,
};

export interface GrpcTransportParams {
  /** Asked for at each connection. */
  joinToken?: () => string | undefined;
  /** Asked for at each connection. Default: plain text. */
  secureContext?: (() => SecureContext) | undefined;
  clock: Clock;
}

/** Links over gRPC: one channel for each link, closed with it. */
export class GrpcTransport implements SchedulerTransport {
  constructor(private readonly params: GrpcTransportParams) {}

  open(address: string, peer: LinkPeer, connectLimitMs?: number): SchedulerLink {
    const channel = this.dial(address);
    const { clock, secureContext } = this.params;
    const isSecure = secureContext !== undefined;
    const link = new GrpcLink({ address, channel, isSecure, metadata: this.metadata(), clock, peer, connectLimitMs });
    link.start();
    return link;
  }

  async gone(address: string, request: GoneRequest, limitMs: number): Promise<void> {
    const { clock } = this.params;
    const channel = this.dial(address);
    try {
      const client = createClient(WorkerServiceDefinition, channel);
      await withTimeout(
        clock,
        limitMs,
        'the last will of the session',
        client.gone(request, { metadata: this.metadata() }),
      );
    } finally {
      channel.close();
    }
  }

  private dial(address: string): Channel {
    const context = this.params.secureContext?.();
    const credentials =
      context === undefined ? ChannelCredentials.createInsecure() : ChannelCredentials.createFromSecureContext(context);
    return createChannel(address, credentials, CHANNEL_OPTIONS);
  }

  private metadata(): Metadata {
    const joinToken = this.params.joinToken?.();
    return joinToken === undefined ? new Metadata() : new Metadata({ authorization: `Bearer ${joinToken}` });
  }
}
