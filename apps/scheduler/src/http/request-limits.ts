import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { callerKey } from './fair-seats.js';
import { ProblemError } from './problem.js';
import { routeOf } from './route-of.js';

export interface LimitRules {
  rateLimit: number;
  failuresPerMinute?: number;
}

/** No program guesses 256 bits: this keeps the noise of one that tries small. */
export const FAILURES_PER_MINUTE = 60;

const WINDOW_MS = 60_000;
/** Callers, or addresses, that are counted at a time; those that were heard of longest ago are forgotten. */
const MAX_COUNTED = 10_000;

type Limiter = ReturnType<FastifyInstance['createRateLimit']>;

/** How often a caller may ask, and an address be wrong. Counted by this scheduler alone. */
export class RequestLimits {
  readonly #requests: Limiter | undefined;
  readonly #failures: Limiter;

  private constructor(requests: Limiter | undefined, failures: Limiter) {
    this.#requests = requests;
    this.#failures = failures;
  }

  static async register(app: FastifyInstance, rules: LimitRules): Promise<RequestLimits> {
    await app.register(rateLimit, {
      global: false,
      timeWindow: WINDOW_MS,
      cache: MAX_COUNTED,
      keyGenerator: callerKey,
    });
    return new RequestLimits(
      rules.rateLimit === 0 ? undefined : app.createRateLimit({ max: rules.rateLimit }),
      app.createRateLimit({ max: rules.failuresPerMinute ?? FAILURES_PER_MINUTE }),
    );
  }

  /** Undefined where nothing is counted. Rejects with a {@link ProblemError} 429 when this caller has asked too often. */
  count(request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined {
    return this.#requests === undefined || routeOf(request).config.rateLimit === false
      ? undefined
      : this.#count(this.#requests, request, reply);
  }

  async #count(requests: Limiter, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const state = await requests(request);
    if (state.isAllowed) {
      return;
    }
    void reply.headers({
      'ratelimit-limit': String(state.max),
      'ratelimit-remaining': String(state.remaining),
      'ratelimit-reset': String(state.ttlInSeconds),
    });
    if (state.isExceeded) {
      const { name } = request.caller;
      const who = name === undefined ? 'from one address' : `with the token ${name}`;
      throw tooMany(reply, state.ttlInSeconds, `more than ${state.max} requests a minute ${who}`);
    }
  }

  /** A token that is good is looked at first, and never counted here: many callers may share one address. */
  async countFailure(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const state = await this.#failures(request);
    if (!state.isAllowed && state.isExceeded) {
      throw tooMany(reply, state.ttlInSeconds, `more than ${state.max} wrong tokens a minute from one address`);
    }
  }
}

function tooMany(reply: FastifyReply, afterS: number, detail: string): ProblemError {
  void reply.header('retry-after', String(Math.max(1, afterS)));
  return new ProblemError('rate-limited', detail);
}
