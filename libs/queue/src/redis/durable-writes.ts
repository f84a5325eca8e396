import { type Clock, InvalidValueError } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';

import { DurabilityUnknownError, StoreUnavailableError } from '../errors.js';
import { type Durability, replicasOf } from './durability.js';
import { type DurabilityFacts, readDurabilityFacts } from './durability-facts.js';

export interface DurableWritesParams {
  /** The connection that writes: what WAIT answers is about its own writes. */
  redis: RedisClient;
  durability: Durability;
  clock: Clock;
}

/** So long a level may take to be reached. Two of them and a write are less than a call may take. */
export const DURABILITY_LIMIT_MS = 1_000;
/** Settings of a server may be changed while it runs. */
const LOOK_AGAIN_MS = 10_000;

/**
 * Makes certain that writes have reached their level. WAIT answers about what *its own connection* wrote: on a new one
 * it answers about nothing, and all is well. So a write whose connection was closed in the meantime is reported as one
 * without an answer, for the caller to repeat under its number. There is one WAIT at a time; writes that are answered
 * while it is under way share the next one.
 */
export class DurableWrites {
  readonly #params: DurableWritesParams;
  #connection = 0;
  #known: { facts: DurabilityFacts; connection: number; untilMs: number } | undefined;
  #asked: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** @throws {InvalidValueError} for a Cluster at another level than `memory`: WAIT has no key that would lead it. */
  constructor(params: DurableWritesParams) {
    this.#params = params;
    const { redis, durability } = params;
    if (durability !== 'memory') {
      if (redis.isCluster) {
        throw new InvalidValueError('durability', `durability is ${durability}: a Redis Cluster has memory only`);
      }
      redis.on('close', () => (this.#connection += 1));
    }
  }

  /**
   * Sends a write and resolves with its answer when its level is reached.
   * @throws {DurabilityUnknownError} it was written, but is not known to have reached its level
   * @throws {StoreUnavailableError} this server cannot reach the level: nothing was sent
   */
  async run<Reply>(send: () => Promise<Reply>): Promise<Reply> {
    if (this.#params.durability === 'memory') {
      return send();
    }
    const connection = this.#connection;
    const { confirmedBy } = await this.#facts(connection);
    const reply = await send();
    if (confirmedBy !== 'nothing') {
      await this.#reached(confirmedBy);
    }
    if (connection !== this.#connection) {
      throw new Error('the connection was made anew before the write was confirmed');
    }
    return reply;
  }

  async #facts(connection: number): Promise<DurabilityFacts> {
    const { redis, durability, clock } = this.#params;
    if (this.#known?.connection !== connection || clock.monotonicMs() >= this.#known.untilMs) {
      const facts = await readDurabilityFacts(redis, durability);
      this.#known = { facts, connection, untilMs: clock.monotonicMs() + LOOK_AGAIN_MS };
    }
    const { facts } = this.#known;
    if (facts.problem !== undefined) {
      this.#known = undefined; // it may be set right at any time
      throw new StoreUnavailableError(`durability ${durability} cannot be reached: ${facts.problem}`, {
        mayHaveExecuted: false,
      });
    }
    return facts;
  }

  /** What was sent before it is called, on this connection, counts. */
  #reached(command: 'WAIT' | 'WAITAOF'): Promise<void> {
    if (this.#next !== undefined) {
      return this.#next;
    }
    if (this.#asked === undefined) {
      return this.#ask(command);
    }
    this.#next = this.#asked
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#ask(command);
      });
    return this.#next;
  }

  #ask(command: 'WAIT' | 'WAITAOF'): Promise<void> {
    this.#asked = this.#askOnce(command).finally(() => (this.#asked = undefined));
    return this.#asked;
  }

  async #askOnce(command: 'WAIT' | 'WAITAOF'): Promise<void> {
    const { redis, durability } = this.#params;
    const wanted = command === 'WAIT' ? replicasOf(durability) : 1;
    const args = command === 'WAIT' ? [wanted, DURABILITY_LIMIT_MS] : [1, 0, DURABILITY_LIMIT_MS];
    let reached: unknown;
    try {
      reached = await redis.call(command, ...args);
    } catch (error) {
      if (error instanceof Error && error.name === 'ReplyError') {
        throw unknown(durability, `${command} was answered ${error.message}`, error);
      }
      throw error;
    }
    const count = Number(Array.isArray(reached) ? reached[0] : reached);
    if (count < wanted) {
      const who = command === 'WAIT' ? 'replicas have' : 'disks have';
      throw unknown(durability, `${count} of ${wanted} ${who} confirmed it within ${DURABILITY_LIMIT_MS} ms`);
    }
  }
}

function unknown(durability: Durability, why: string, cause?: unknown): DurabilityUnknownError {
  return new DurabilityUnknownError(`Redis has it, but whether it is at ${durability} is unknown: ${why}`, { cause });
}
