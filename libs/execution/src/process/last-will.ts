import { readFileSync } from 'node:fs';

import { type Clock, sleep } from '@orchestrator/core';
import { GoneReason, type WorkerServiceClient, WorkerServiceDefinition } from '@orchestrator/proto-types';
import { type Channel, ChannelCredentials, createChannel, createClient, Metadata } from 'nice-grpc';

import { readSecureContext, type SchedulerTls } from '../scheduler-tls.js';
import type { LastWill } from '../wire.js';

/** A scheduler that is gone for longer finds out by itself that the session is. */
const LIMIT_MS = 10_000;
const CALL_LIMIT_MS = 2_000;
const PAUSE_MS = 250;
/** As those of the worker's own connections. */
const CHANNEL_OPTIONS = { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_http_proxy': 0 };

export interface LastWillParams {
  will: LastWill;
  workerId: string;
  session: string;
  detail: string;
  clock: Clock;
}

/**
 * Tells a scheduler that the worker's process has ended and nothing of it runs any more. This file alone knows gRPC and
 * is loaded only then: the executor stays small. Answers whether one has heard it.
 */
export async function sendLastWill(params: LastWillParams): Promise<boolean> {
  const { clock, will } = params;
  const untilMs = clock.monotonicMs() + LIMIT_MS;
  while (will.addresses.length > 0 && clock.monotonicMs() < untilMs) {
    for (const address of will.addresses) {
      if (await tell(address, params)) {
        return true;
      }
    }
    await sleep(clock, PAUSE_MS);
  }
  return false;
}

/** Sessions last for weeks: what it was at their start may be void. */
function joinTokenOf({ joinToken, joinTokenFile }: LastWill): string {
  try {
    return joinTokenFile === undefined ? joinToken : readFileSync(joinTokenFile, 'utf8').trimEnd();
  } catch {
    return joinToken;
  }
}

/** Read anew each time, as the token is. */
function credentialsOf(tls: SchedulerTls | undefined): ChannelCredentials {
  return tls === undefined
    ? ChannelCredentials.createInsecure()
    : ChannelCredentials.createFromSecureContext(readSecureContext(tls));
}

async function tell(address: string, params: LastWillParams): Promise<boolean> {
  let channel: Channel | undefined;
  try {
    channel = createChannel(address, credentialsOf(params.will.tls), CHANNEL_OPTIONS);
    const client: WorkerServiceClient = createClient(WorkerServiceDefinition, channel);
    await client.gone(
      {
        workerId: params.workerId,
        session: params.session,
        reason: GoneReason.PROCESS_ENDED,
        detail: params.detail,
      },
      {
        metadata: Metadata({ authorization: `Bearer ${joinTokenOf(params.will)}` }),
        signal: AbortSignal.timeout(CALL_LIMIT_MS),
      },
    );
    return true;
  } catch {
    // The next one may hear it.
    return false;
  } finally {
    channel?.close();
  }
}
