import type { Ulid } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';

import { MAX_BATCH, MAX_OWNED, type PendingOrder } from '../../store.js';
import { pipelined } from './pipelined.js';
import { parseRecord } from './record-text.js';

/** Session -> epoch; 0 without a gate: its jobs are still being taken back, or a recovery awaits it. */
export async function readGates(redis: RedisClient, base: string): Promise<Map<string, number>> {
  const [dying, awaited, gates] = (await pipelined(redis, (pipeline) => {
    pipeline.hkeys(`${base}dying`);
    pipeline.smembers(`${base}awaited`);
    pipeline.hgetall(`${base}gates`);
  })) as [string[], string[], Record<string, string>];
  const open = Object.entries(gates).map(([session, epoch]): [string, number] => [session, Number(epoch)]);
  return new Map([...[...dying, ...awaited].map((session): [string, number] => [session, 0]), ...open]);
}

/** What these sessions own, by session, in order of claim. */
export async function readOwned(
  redis: RedisClient,
  base: string,
  sessions: readonly string[],
): Promise<Map<string, Ulid[]>> {
  const owned = (await pipelined(redis, (pipeline) => {
    for (const session of sessions) {
      pipeline.zrange(`${base}s:${session}`, 0, String(MAX_OWNED - 1));
    }
  })) as Ulid[][];
  return new Map(sessions.map((session, i) => [session, owned[i] ?? []]));
}

/**
 * What is still to be told to workers of these sessions. Looks at one random `MAX_BATCH` of all orders: with more of
 * them, the next polls find the others.
 */
export async function readPendingOrders(
  redis: RedisClient,
  base: string,
  sessions: readonly string[],
): Promise<PendingOrder[]> {
  const ulids = sessions.length === 0 ? [] : ((await redis.hrandfield(`${base}orders`, MAX_BATCH)) as string[] | null);
  if (!ulids?.length) {
    return [];
  }
  const wanted = new Set(sessions);
  const records = await redis.hmget(`${base}jobs`, ...ulids);
  return records.flatMap((text, i) => {
    const { state, cancel, session, attempt: attemptId, fence } = (text && parseRecord(text)) || {};
    return state === 'running' && cancel && session && attemptId && wanted.has(session)
      ? [{ ulid: ulids[i] as Ulid, session, attemptId, fence: Number(fence), order: 'cancel' as const }]
      : [];
  });
}
