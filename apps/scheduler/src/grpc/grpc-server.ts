import type { Clock } from '@orchestrator/core';
import type { Dispatch, OutboxLimits } from '@orchestrator/dispatch';
import { type Service, withTimeout } from '@orchestrator/lifecycle';
import { WholeMessages } from '@orchestrator/proto-types';
import type { Logger } from '@orchestrator/telemetry';
import { createServer, type Server } from 'nice-grpc';
import { HealthDefinition, HealthServiceImpl, HealthState } from 'nice-grpc-server-health';

import { connectionLimit } from '../sockets/connection-limit.js';
import type { TlsFiles } from '../tls/tls-files.js';
import { WorkerCredentials } from '../tls/worker-credentials.js';
import { ListenError } from '../listen-error.js';
import type { LinkEndLimits } from './link-end.js';
import { type PeerLimits, PeerSockets } from './peer-sockets.js';
import { doorman } from './doorman.js';
import { errorMiddleware } from './to-server-error.js';
import { certificateInterceptor, type OnRefused, RefusalLog } from './worker-certificate.js';
import { createWorkerService } from './worker-service.js';

export interface GrpcServerParams {
  host: string;
  /** 0 = any free one. */
  port: number;
  /** Any of those that hold now. None: everybody may join. */
  joinTokens?: () => readonly string[];
  /** Told of each call that was refused for who makes it. */
  onRefused?: OnRefused;
  /** Undefined: plain text. With an authority of workers each must present a certificate with its id. */
  tls?: TlsFiles | undefined;
  dispatch: Dispatch;
  clock: Clock;
  logger: Logger;
  /** What may wait for a worker that does not read. Default: dispatch's. */
  outbox?: OutboxLimits | undefined;
  /** How long a closed link has to end. Default `DEFAULT_LINK_END_LIMITS`. */
  linkEndLimits?: LinkEndLimits | undefined;
  /** How many connections there may be. Default: what the descriptors of this process allow. */
  maxConnections?: number | undefined;
  /** Default `DEFAULT_PEER_LIMITS`. */
  peerLimits?: PeerLimits | undefined;
  /** How long stopping waits for calls to end by themselves. Default `SHUTDOWN_LIMIT_MS`. */
  shutdownLimitMs?: number;
}

export const SHUTDOWN_LIMIT_MS = 2_000;

/** Finds half-open connections within five seconds, and bounds what one message may cost. */
const CHANNEL_OPTIONS = {
  'grpc.keepalive_time_ms': 3_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  // A worker has two, and one more at its end; a proxy before several workers opens another connection.
  'grpc.max_concurrent_streams': 100,
  // Kept about each stream and connection for a debugger that nobody runs.
  'grpc.enable_channelz': 0,
};

/** The port that workers dial. Stop `dispatch.streams` before it: it moves the workers away in good order. */
export class GrpcServer implements Service {
  readonly name = 'grpc server';
  private readonly server: Server;
  private readonly health = HealthState();
  private readonly sockets: PeerSockets;
  private boundPort: number | undefined;
  private starting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  constructor(private readonly params: GrpcServerParams) {
    const { dispatch, joinTokens = () => [], tls, clock, logger, outbox, linkEndLimits: limits } = params;
    const asksWorkers = tls?.asksWorkers === true;
    this.sockets = new PeerSockets({
      isOurPort: (port) => port === (this.boundPort ?? port),
      limit: params.maxConnections ?? connectionLimit(),
      clock,
      logger,
      limits: params.peerLimits,
    });
    const refusals = new RefusalLog(logger, () => clock.monotonicMs());
    const onRefused: OnRefused = (refusal) => {
      refusals.tell(refusal);
      params.onRefused?.(refusal);
    };
    const { sockets } = this;
    this.server = createServer({
      ...CHANNEL_OPTIONS,
      interceptors: [
        ...(asksWorkers ? [certificateInterceptor] : []),
        doorman({ sockets, asksWorkers, joinTokens, onRefused }),
      ],
    });
    this.server.add(HealthDefinition, HealthServiceImpl(this.health));
    this.server
      .with(errorMiddleware(logger))
      .add(
        WholeMessages,
        createWorkerService({ dispatch, sockets, asksWorkers, onRefused, clock, logger, outbox, limits }),
      );
  }

  /** TCP connections that are open. */
  get connections(): number {
    return this.sockets.size;
  }

  /** What was bound; undefined while it does not listen. */
  get port(): number | undefined {
    return this.boundPort;
  }

  start(): Promise<void> {
    this.starting ??= this.stopping === undefined ? this.listen() : Promise.resolve();
    return this.starting;
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async listen(): Promise<void> {
    const { host, port, tls, logger } = this.params;
    this.sockets.start();
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const credentials = tls && new WorkerCredentials(tls);
    this.boundPort = await this.server.listen(address, credentials).catch((error: unknown) => {
      throw new ListenError({ section: 'grpc', host, port }, error);
    });
    this.health.setStatus('healthy');
    logger.info('gRPC listens', { host, port: this.boundPort, tls: tls !== undefined });
  }

  /** grpc-js waits for ever for streams that do not end. */
  private async shutDown(): Promise<void> {
    await this.starting?.catch(() => undefined);
    this.health.setStatus('unhealthy');
    if (this.boundPort === undefined) {
      this.sockets.stop();
      return;
    }
    const { clock, logger, shutdownLimitMs = SHUTDOWN_LIMIT_MS } = this.params;
    this.boundPort = undefined;
    try {
      await withTimeout(clock, shutdownLimitMs, 'the end of all gRPC calls', this.server.shutdown());
    } catch (error) {
      logger.warn('gRPC calls were cut off', { error });
      this.server.forceShutdown();
    } finally {
      this.sockets.stop();
    }
  }
}
