import { type Clock, systemClock, type Timer } from '@orchestrator/core';
import { COMMAND_TIMEOUT_MS, type RedisClient } from '@orchestrator/redis';
import { type Logger, silentLogger } from '@orchestrator/telemetry';

import { queueKeys } from './keys.js';
import { type NewsEvent, type NewsType, parseNews } from './news.js';

export interface QueueNewsParams {
  /** A connection of its own: it can do nothing else. Closed by whoever made it. */
  redis: RedisClient;
  /** Default `systemClock`. */
  clock?: Clock;
  /** Default `DEFAULT_PREFIX`. */
  prefix?: string;
  logger?: Logger;
}

const PING_EVERY_MS = 2_000;

interface Listening {
  listener: NewsListener;
  /** Lines that it wants to hear of; undefined: all. */
  wanted: RegExp | undefined;
}

/** All events of one script call. */
export type NewsListener = (events: NewsEvent[], pool: string) => void;

/**
 * Hears what happens in pools, over one connection. News only hurry: what is published while the connection is down, or
 * before Redis has the subscription, is not heard. Whoever needs to know asks the store as well, from time to time.
 * While somebody listens it asks Redis for a sign of life: a connection that hears nothing may be dead without a trace.
 */
export class QueueNews {
  readonly #redis: RedisClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #channelOf: (pool: string) => string;
  readonly #pools = new Map<string, { pool: string; listeners: Set<Listening> }>();
  #pinging: Timer | undefined;

  constructor(params: QueueNewsParams) {
    this.#redis = params.redis;
    this.#clock = params.clock ?? systemClock;
    this.#logger = params.logger ?? silentLogger;
    const keys = queueKeys(params.prefix);
    this.#channelOf = (pool) => keys.news(pool);
    this.#redis.on('message', this.#onMessage);
    this.#redis.on('ready', this.#onReady);
  }

  /**
   * Calls the listener at each entry of the pool's news, until the function answered is called. `types`: only at entries
   * that have one of these (others may be among its events); what nobody wants is not even parsed.
   */
  subscribe(pool: string, listener: NewsListener, types?: readonly NewsType[]): () => void {
    const channel = this.#channelOf(pool);
    const entry = this.#pools.get(channel) ?? { pool, listeners: new Set() };
    // The same function may be given twice: each subscription has its own end.
    const own: Listening = { listener, wanted: types && new RegExp(`^(?:${types.join('|')}) `, 'm') };
    entry.listeners.add(own);
    if (!this.#pools.has(channel)) {
      this.#pools.set(channel, entry);
      this.#send('subscribe', [channel]);
      this.#pinging ??= this.#clock.setTimer(PING_EVERY_MS, this.#ping);
    }
    return () => {
      if (entry.listeners.delete(own) && entry.listeners.size === 0) {
        this.#pools.delete(channel);
        this.#send('unsubscribe', [channel]);
      }
    };
  }

  /** Ends all subscriptions. The connection stays open. */
  close(): void {
    this.#redis.off('message', this.#onMessage);
    this.#redis.off('ready', this.#onReady);
    this.#send('unsubscribe', [...this.#pools.keys()]);
    this.#pools.clear();
    this.#pinging?.cancel();
    this.#pinging = undefined;
  }

  readonly #onMessage = (channel: string, text: string): void => {
    const entry = this.#pools.get(channel);
    if (entry === undefined) {
      return;
    }
    let events: NewsEvent[] | undefined;
    for (const { listener, wanted } of [...entry.listeners]) {
      if (wanted?.test(text) === false) {
        continue;
      }
      events ??= parseNews(text);
      try {
        listener(events, entry.pool);
      } catch (error) {
        this.#logger.error('A listener of the news failed', { pool: entry.pool, error });
      }
    }
  };

  readonly #ping = (): void => {
    this.#pinging = this.#pools.size === 0 ? undefined : this.#clock.setTimer(PING_EVERY_MS, this.#ping);
    if (this.#pinging === undefined || this.#redis.status !== 'ready') {
      return;
    }
    const giveUp = (): void => {
      limit.cancel();
      if (this.#redis.status === 'ready') {
        this.#logger.debug('The connection for the news is silent; it is made again');
        this.#redis.disconnect(true);
      }
    };
    // Connections of others have no limit of their own.
    const limit = this.#clock.setTimer(COMMAND_TIMEOUT_MS, giveUp);
    this.#redis.ping().then(() => limit.cancel(), giveUp);
  };

  /** ioredis repeats what Redis had confirmed; what was asked for while it was away is only known here. */
  readonly #onReady = (): void => {
    this.#send('subscribe', [...this.#pools.keys()]);
  };

  #send(command: 'subscribe' | 'unsubscribe', channels: string[]): void {
    if (this.#redis.status === 'wait') {
      this.#redis.connect().catch(() => undefined); // it goes on trying; `ready` follows
    } else if (channels.length > 0 && this.#redis.status === 'ready') {
      this.#redis[command](...channels).catch((error: unknown) => {
        this.#logger.debug('The news could not be told which pools are wanted; again at the next connection', {
          error,
        });
      });
    }
  }
}
