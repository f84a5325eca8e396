import type { Redis } from 'ioredis';

/** What a Redis has done since its start. */
export interface RedisCounters {
  /** CPU time of the main thread, user and system. */
  cpuUs: number;
  /** Without INFO. */
  commands: number;
  /** Spent inside of scripts, by the clock. */
  scriptUs: number;
  /** How often each command was carried out, also by scripts. */
  calls: ReadonlyMap<string, number>;
}

/** CPU time hardly depends on what else the machine does; scripts' own time by the clock does. */
export async function readCounters(redis: Redis): Promise<RedisCounters> {
  const text = await redis.info('cpu', 'commandstats');
  const cpu = ['user', 'sys'].map((kind) =>
    Number(new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`).exec(text)?.[1]),
  );
  const calls = new Map<string, number>();
  let scriptUs = 0;
  for (const [, name = '', count, usec] of text.matchAll(/^cmdstat_([\w|]+):calls=(\d+),usec=(\d+)/gm)) {
    if (name !== 'info') {
      calls.set(name, Number(count));
      scriptUs += name === 'evalsha' ? Number(usec) : 0;
    }
  }
  const commands = [...calls.values()].reduce((sum, each) => sum + each, 0);
  return { cpuUs: cpu.reduce((sum, each) => sum + each, 0) * 1_000_000, commands, scriptUs, calls };
}

export async function usedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}
