import { requireName } from '@orchestrator/core';
import { type RedisClient, replyCode } from '@orchestrator/redis';

import { OtherServerError, RegistryUnavailableError, StaleTermError } from '../errors.js';
import { type ControlKeys, controlKeys } from '../keys.js';
import type {
  Death,
  DeathReason,
  DeathVerdict,
  HelloReply,
  HelloRequest,
  RegistryLook,
  RegistryPulses,
  Renewal,
  RenewalReply,
  SessionRecord,
  SessionRegistry,
  SchedulerPresence,
} from '../registry.js';
import { parseSession } from './parse-session.js';
import { announce } from './scripts/announce.js';
import { declareDead } from './scripts/declare-dead.js';
import { declareGone } from './scripts/declare-gone.js';
import { drain } from './scripts/drain.js';
import { forget } from './scripts/forget.js';
import { hello } from './scripts/hello.js';
import { look } from './scripts/look.js';
import { mintTerm } from './scripts/mint-term.js';
import { pulses } from './scripts/pulses.js';
import { renew } from './scripts/renew.js';
import { schedulers } from './scripts/schedulers.js';
import { withdraw } from './scripts/withdraw.js';

export interface RedisSessionRegistryParams {
  /** A connection with a limit on each call, as `createRedis` makes; it is not closed here. */
  redis: RedisClient;
  /** Default "orc". */
  prefix?: string;
  /** How long `forget` leaves a dead session. Default `DEAD_KEPT_MS`. */
  deadKeptMs?: number;
  /** How long a dead session is part of a look. Default `DEAD_SHOWN_MS`. */
  deadShownMs?: number;
}

export const DEAD_KEPT_MS = 24 * 3_600_000;
export const DEAD_SHOWN_MS = 10 * 60_000;
/** Looks are taken often: what died is bounded in it also where workers die all the time. */
const DEAD_SHOWN = 200;
const MAX_BATCH = 250;

/** The registry in the control slot of one Redis. Each write is one atomic script that also works in a full Redis. */
export class RedisSessionRegistry implements SessionRegistry {
  private readonly redis: RedisClient;
  private readonly keys: ControlKeys;
  private readonly deadKeptMs: number;
  private readonly deadShownMs: number;

  constructor(params: RedisSessionRegistryParams) {
    this.redis = params.redis;
    this.keys = controlKeys(params.prefix);
    this.deadKeptMs = params.deadKeptMs ?? DEAD_KEPT_MS;
    this.deadShownMs = params.deadShownMs ?? DEAD_SHOWN_MS;
  }

  /** @throws {InvalidValueError} for a name that is none: what scripts answer is parted at spaces and line breaks */
  async hello(request: HelloRequest): Promise<HelloReply> {
    requireName(request.session, 'session');
    requireName(request.worker, 'worker');
    requireName(request.scheduler, 'scheduler');
    return confirmed('hello', hello(this.redis, { base: this.keys.base, request }));
  }

  async renew(renewals: readonly Renewal[]): Promise<RenewalReply[]> {
    const replies: RenewalReply[] = [];
    for (const batch of inBatches(renewals)) {
      const some = await confirmed('renew', renew(this.redis, { base: this.keys.base, renewals: batch }));
      replies.push(...some);
    }
    return replies;
  }

  declareGone(session: string, reason: DeathReason): Promise<Death | undefined> {
    return confirmed('declare gone', declareGone(this.redis, { base: this.keys.base, session, reason }));
  }

  declareDead(verdict: DeathVerdict): Promise<Death | 'renewed' | 'unknown'> {
    return confirmed('declare dead', declareDead(this.redis, { base: this.keys.base, verdict }));
  }

  drain(worker: string): Promise<'draining' | 'unknown'> {
    return confirmed('drain', drain(this.redis, { base: this.keys.base, worker }));
  }

  pulses(): Promise<RegistryPulses> {
    return confirmed('pulses', pulses(this.redis, { base: this.keys.base }));
  }

  look(): Promise<RegistryLook> {
    const { deadShownMs } = this;
    return confirmed('look', look(this.redis, { base: this.keys.base, deadShownMs, deadShown: DEAD_SHOWN }));
  }

  async get(session: string): Promise<SessionRecord | undefined> {
    return parseSession(session, await confirmed('get', this.redis.hgetall(this.keys.session(session))));
  }

  async ofWorker(worker: string): Promise<SessionRecord | undefined> {
    const session = await confirmed('of worker', this.redis.hget(this.keys.workers, worker));
    return session === null ? undefined : this.get(session);
  }

  async forget(keep: ReadonlySet<string>): Promise<number> {
    const dead = await confirmed('forget', this.redis.zrange(this.keys.dead, '0', '-1'));
    let forgotten = 0;
    for (const sessions of inBatches(dead.filter((session) => !keep.has(session)))) {
      const { deadKeptMs } = this;
      const some = await confirmed('forget', forget(this.redis, { base: this.keys.base, deadKeptMs, sessions }));
      forgotten += some;
      if (some < sessions.length) {
        break; // In order of death: all that follow are younger.
      }
    }
    return forgotten;
  }

  async announce(scheduler: SchedulerPresence): Promise<void> {
    await confirmed('announce', announce(this.redis, { base: this.keys.base, scheduler }));
  }

  async withdraw(schedulerId: string): Promise<void> {
    await confirmed('withdraw', withdraw(this.redis, { base: this.keys.base, schedulerId }));
  }

  schedulers(): Promise<SchedulerPresence[]> {
    return confirmed('schedulers', schedulers(this.redis, { base: this.keys.base }));
  }

  mintTerm(leader: string): Promise<number> {
    return confirmed('mint term', mintTerm(this.redis, { base: this.keys.base, leader }));
  }

  async currentTerm(): Promise<{ term: number; leader: string } | undefined> {
    const [term, leader] = await confirmed('current term', this.redis.hmget(this.keys.term, 'term', 'leader'));
    return term ? { term: Number(term), leader: leader ?? '' } : undefined;
  }
}

function* inBatches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < items.length; i += MAX_BATCH) {
    yield items.slice(i, i + MAX_BATCH);
  }
}

async function confirmed<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const code = replyCode(error);
    const detail = error instanceof Error ? error.message : '';
    if (code === 'STALE_TERM') {
      throw new StaleTermError(detail);
    }
    if (code === 'OTHER_SERVER') {
      throw new OtherServerError(detail);
    }
    throw new RegistryUnavailableError(what, error);
  }
}
