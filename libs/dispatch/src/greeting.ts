import { type Clock, InvalidValueError, type Random, requireName, requirePoolName, sleep } from '@orchestrator/core';
import type { HelloReply, SessionRegistry } from '@orchestrator/heartbeat';
import type { AttemptRef, Hello, Verdict } from '@orchestrator/proto-types';
import { type HeldAttempt, type PendingOrder, type QueueStore, StaleEpochError } from '@orchestrator/queue';

import { parseAttempt, toHeldAttempt } from './from-wire.js';
import { RetryDelay } from './retry-delay.js';
import { askAgain, reconcileSession } from './session-reconciler.js';
import { toVerdict } from './to-wire.js';

/** What a worker says it holds in one of its pools: as named on the wire, and as the store wants it. */
export interface PoolHoldings {
  pool: string;
  refs: AttemptRef[];
  held: HeldAttempt[];
}

/** A pool that was reconciled at this epoch. */
export interface PoolAnswer {
  pool: string;
  verdicts: Verdict[];
  /** Of these the pool is unsure as long as it is in recovery: their verdict is `unknown` for now. */
  unsure: PoolHoldings;
  orders: PendingOrder[];
  requeued: number;
  adopted: number;
}

export interface Greeted {
  status: 'greeted';
  epoch: number;
  draining: boolean;
  answers: PoolAnswer[];
  /** Pools that could not be asked; their attempts are `unknown` for now. */
  unanswered: { holdings: PoolHoldings; error: unknown }[];
  /** Of attempts that cannot be in any of its pools. */
  foreign: Verdict[];
}

export type GreetingAnswer = Greeted | Exclude<HelloReply, { status: 'welcome' }>;

export interface GreetingDeps {
  store: QueueStore;
  registry: SessionRegistry;
  schedulerId: string;
  leaseMs: number;
}

/** What is frozen waits for it, and Redis has other things to do after a restart. */
const ASK_UNSURE_MS = 500;
/** Each one costs a dispatcher and a reconcile at every Hello. */
export const MAX_POOLS = 100;
/** Twice what a worker may be configured to have. */
const MAX_SLOTS = 2_000;
/** Of all that only people read: each look at the registry, one a second, reads it of every worker. */
const MAX_INFO_CHARS = 16 * 1024;

/** @throws {InvalidValueError} when it cannot be the Hello of a worker of ours. */
export function checkHello(hello: Hello): void {
  requireName(hello.workerId, 'worker_id');
  requireName(hello.session, 'session');
  if (hello.pools.length > MAX_POOLS) {
    throw new InvalidValueError('pools', `pools has ${hello.pools.length} entries: expected at most ${MAX_POOLS}`);
  }
  const { length } = JSON.stringify([hello.labels, hello.version, hello.host]);
  if (length > MAX_INFO_CHARS) {
    const expected = `expected at most ${MAX_INFO_CHARS}`;
    throw new InvalidValueError('labels', `labels, version and host have ${length} characters: ${expected}`);
  }
  if (hello.slots > MAX_SLOTS) {
    throw new InvalidValueError('slots', `slots is ${hello.slots}: expected at most ${MAX_SLOTS}`);
  }
  hello.pools.forEach((pool, index) => requirePoolName(pool, `pools[${index}]`));
}

/**
 * Answers a Hello: registers the session, which mints its epoch, then reconciles what it holds in each of its pools, which
 * opens their gates for that epoch. Rejects only when the registry could not be asked.
 */
export async function greet(hello: Hello, deps: GreetingDeps): Promise<GreetingAnswer> {
  const { session, workerId: worker } = hello;
  const pools = [...new Set(hello.pools)];
  const reply = await deps.registry.hello({
    session,
    worker,
    number: hello.number,
    hasRun: hello.hasRun,
    leaseMs: deps.leaseMs,
    scheduler: deps.schedulerId,
    info: {
      pools,
      slots: Math.max(0, hello.slots),
      labels: hello.labels,
      version: hello.version,
      host: hello.host,
      pid: hello.pid,
    },
  });
  if (reply.status !== 'welcome') {
    return reply;
  }
  const { byPool, foreign } = sortHoldings(hello, pools);
  const greeted: Greeted = {
    status: 'greeted',
    epoch: reply.epoch,
    draining: reply.draining || hello.draining,
    answers: [],
    unanswered: [],
    foreign,
  };
  await Promise.all(
    byPool.map(async (holdings) => {
      try {
        greeted.answers.push(await askPool(deps.store, { session, worker, epoch: reply.epoch }, holdings));
      } catch (error) {
        greeted.unanswered.push({ holdings, error });
      }
    }),
  );
  return greeted;
}

/** Reconciles one pool. Rejects as the store does. */
export async function askPool(
  store: QueueStore,
  session: { session: string; worker: string; epoch: number },
  { pool, refs, held }: PoolHoldings,
): Promise<PoolAnswer> {
  const outcome = await reconcileSession(store, { ...session, pool, held });
  const verdicts = refs.map((ref, index) => toVerdict(ref, outcome.verdicts[index] ?? 'gone'));
  const { orders, requeued, adopted } = outcome;
  const unsure = only({ pool, refs, held }, (index) => outcome.verdicts[index] === 'unknown');
  return { pool, verdicts, unsure, orders, requeued, adopted };
}

/**
 * Asks a pool again about what it was unsure of, until it is sure of all or `isWanted` is over; tells each answer.
 * @throws {StaleEpochError} when the session has said Hello elsewhere
 */
export async function askUntilSure(
  deps: GreetingDeps & {
    clock: Clock;
    signal: AbortSignal;
    isWanted(): boolean;
    onVerdicts(verdicts: Verdict[]): void;
  },
  session: { session: string; worker: string; epoch: number },
  holdings: PoolHoldings,
): Promise<void> {
  let left = holdings;
  while (left.refs.length > 0) {
    await sleep(deps.clock, ASK_UNSURE_MS, deps.signal);
    if (!deps.isWanted()) {
      return;
    }
    try {
      const { pool, refs, held } = left;
      const answers = await askAgain(deps.store, { ...session, pool, held });
      const isUnsure = (index: number): boolean => answers[index] === 'unknown';
      const sure = refs.flatMap((ref, index) => (isUnsure(index) ? [] : [toVerdict(ref, answers[index] ?? 'gone')]));
      if (sure.length > 0 && deps.isWanted()) {
        deps.onVerdicts(sure);
      }
      left = only(left, isUnsure);
    } catch (error) {
      if (error instanceof StaleEpochError) {
        throw error;
      }
    }
  }
}

function only({ pool, refs, held }: PoolHoldings, which: (index: number) => boolean): PoolHoldings {
  const chosen = <T>(list: readonly T[]): T[] => list.filter((_, index) => which(index));
  return { pool, refs: chosen(refs), held: chosen(held) };
}

/**
 * Asks a pool that could not be asked at the Welcome until it answers. Undefined when `isWanted` is over.
 * @throws {StaleEpochError} when the session has said Hello elsewhere
 */
export async function askPoolLater(
  deps: GreetingDeps & { clock: Clock; random: Random; signal: AbortSignal; isWanted(): boolean },
  session: { session: string; worker: string; epoch: number },
  holdings: PoolHoldings,
): Promise<PoolAnswer | undefined> {
  const delay = new RetryDelay(deps.random);
  for (;;) {
    await sleep(deps.clock, delay.next(), deps.signal);
    if (!deps.isWanted()) {
      return undefined;
    }
    try {
      const answer = await askPool(deps.store, session, holdings);
      return deps.isWanted() ? answer : undefined;
    } catch (error) {
      if (error instanceof StaleEpochError) {
        throw error;
      }
    }
  }
}

/** By pool, also those without any attempt. What is in no pool of the session was never given to it. */
function sortHoldings(hello: Hello, pools: readonly string[]): { byPool: PoolHoldings[]; foreign: Verdict[] } {
  const byPool = new Map(pools.map((pool): [string, PoolHoldings] => [pool, { pool, refs: [], held: [] }]));
  const foreign: Verdict[] = [];
  for (const { attempt: ref, state, number } of hello.held) {
    const attempt = parseAttempt(ref);
    const holdings = attempt && byPool.get(attempt.pool);
    if (attempt !== undefined && holdings !== undefined) {
      holdings.refs.push(attempt.ref);
      holdings.held.push(toHeldAttempt(attempt, state, number));
    } else if (ref !== undefined) {
      foreign.push(toVerdict(ref, 'gone'));
    }
  }
  return { byPool: [...byPool.values()], foreign };
}
