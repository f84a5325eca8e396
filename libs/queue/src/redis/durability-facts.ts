import type { RedisClient } from '@orchestrator/redis';

import { type Durability, replicasOf } from './durability.js';

/** What a server's settings mean for a level. */
export interface DurabilityFacts {
  /** What makes certain that a write that was answered has reached the level; `nothing`: its answer does. */
  confirmedBy: 'nothing' | 'WAIT' | 'WAITAOF';
  /** Why this server cannot reach the level at all, and which setting to change. */
  problem?: string;
  /** Sentences for whoever runs it; each says what good looks like. */
  warnings: string[];
}

/** Asks a server whether it can keep a level. Rejects as Redis does when it does not answer. */
export async function readDurabilityFacts(redis: RedisClient, durability: Durability): Promise<DurabilityFacts> {
  if (durability === 'memory') {
    return { confirmedBy: 'nothing', warnings: [] };
  }
  return durability === 'disk' ? diskFacts(redis) : replicaFacts(redis, replicasOf(durability));
}

async function diskFacts(redis: RedisClient): Promise<DurabilityFacts> {
  const info = await redis.info('persistence');
  if (!/^aof_enabled:1\r?$/m.test(info)) {
    return impossible('appendonly is no: set appendonly yes and appendfsync always');
  }
  const fsync = await readSetting(redis, 'appendfsync');
  if (fsync === 'always' && (await readSetting(redis, 'no-appendfsync-on-rewrite')) !== 'yes') {
    return { confirmedBy: 'nothing', warnings: [] };
  }
  if (await hasCommand(redis, 'WAITAOF')) {
    return { confirmedBy: 'WAITAOF', warnings: [] };
  }
  return impossible(
    fsync === 'always'
      ? 'no-appendfsync-on-rewrite is yes: set it to no, or use Redis 7.2 or newer'
      : `appendfsync is ${fsync ?? 'not told'}: set it to always, or use Redis 7.2 or newer (WAITAOF)`,
  );
}

async function replicaFacts(redis: RedisClient, replicas: number): Promise<DurabilityFacts> {
  const info = await redis.info('replication');
  const connected = Number(/^connected_slaves:(\d+)/m.exec(info)?.[1] ?? 0);
  const least = await readSetting(redis, 'min-replicas-to-write');
  return {
    confirmedBy: 'WAIT',
    warnings: [
      ...(connected < replicas
        ? [`${connected} replicas are connected: submissions are answered 503 until there are ${replicas}`]
        : []),
      ...(least === undefined || Number(least) < 1
        ? [`min-replicas-to-write is ${least ?? 'not told'}: a master that was cut off goes on writing; set it to 1`]
        : []),
    ],
  };
}

function impossible(problem: string): DurabilityFacts {
  return { confirmedBy: 'nothing', problem, warnings: [] };
}

/** Undefined where CONFIG is not allowed, as in managed services. */
async function readSetting(redis: RedisClient, name: string): Promise<string | undefined> {
  try {
    const [, value] = await redis.config('GET', name);
    return value;
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') {
      return undefined;
    }
    throw error;
  }
}

async function hasCommand(redis: RedisClient, name: string): Promise<boolean> {
  const [known] = (await redis.call('COMMAND', 'INFO', name)) as unknown[];
  return known !== null && known !== undefined;
}
