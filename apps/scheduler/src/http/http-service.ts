import type { AddressInfo } from 'node:net';

import type { Clock, Timer } from '@orchestrator/core';
import type { Service } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';
import type { FastifyInstance } from 'fastify';

import { connectionLimit } from '../sockets/connection-limit.js';
import { ListenError } from '../listen-error.js';
import type { HttpDeps } from './deps.js';
import { OpenSockets } from './open-sockets.js';
import { createHttpServer, type HttpOptions } from './server.js';

export interface HttpServiceParams extends HttpOptions {
  host: string;
  /** 0 = any free one. */
  port: number;
  deps: HttpDeps;
  clock: Clock;
  logger: Logger;
  /** How many connections there may be. Default: what the descriptors of this process allow. */
  maxConnections?: number;
  /** How long a client may take for an answer. Default `TAKEN_WITHIN_MS`. */
  takenWithinMs?: number;
}

/** What is not answered by then is cut off. */
const CLOSE_LIMIT_MS = 5_000;
const IDLE_LOOK_MS = 100;

/** The REST API as it listens. */
export class HttpService implements Service {
  readonly name = 'http server';
  readonly #params: HttpServiceParams;
  #app: FastifyInstance | undefined;
  #sockets: OpenSockets | undefined;
  #port: number | null = null;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(params: HttpServiceParams) {
    this.#params = params;
  }

  /** TCP connections that are open. */
  get connections(): number {
    return this.#sockets?.size ?? 0;
  }

  /** What was bound; null while it does not listen. */
  get port(): number | null {
    return this.#port;
  }

  start(): Promise<void> {
    this.#starting ??= this.#listen();
    return this.#starting;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#close();
    return this.#stopping;
  }

  async #listen(): Promise<void> {
    const { deps, host, port, clock, logger, maxConnections = connectionLimit(), takenWithinMs } = this.#params;
    this.#app = await createHttpServer(deps, this.#params);
    this.#sockets = new OpenSockets({
      server: this.#app.server,
      limit: maxConnections,
      clock,
      logger,
      takenWithinMs,
    });
    this.#sockets.start();
    await this.#app.listen({ host, port }).catch((error: unknown) => {
      throw new ListenError({ section: 'http', host, port }, error);
    });
    this.#port = (this.#app.server.address() as AddressInfo).port;
    logger.info('HTTP listens', { host, port: this.#port, tls: this.#params.tls !== undefined });
  }

  /**
   * Requests under way are answered; idle connections are closed, again and again, because those that were busy when
   * the closing began become idle later and would be kept alive.
   */
  async #close(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    const app = this.#app;
    if (app === undefined) {
      return;
    }
    const { clock, logger } = this.#params;
    const until = clock.monotonicMs() + CLOSE_LIMIT_MS;
    let timer: Timer | undefined;
    const look = (): void => {
      if (clock.monotonicMs() > until) {
        logger.warn('HTTP requests were cut off');
        this.#sockets?.closeAll();
        return;
      }
      this.#sockets?.closeIdle();
      timer = clock.setTimer(IDLE_LOOK_MS, look);
    };
    timer = clock.setTimer(IDLE_LOOK_MS, look);
    await app.close();
    timer.cancel();
    this.#sockets?.stop();
    this.#port = null;
  }
}
