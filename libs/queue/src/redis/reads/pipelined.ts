import type { RedisClient } from '@orchestrator/redis';
import type { ChainableCommander } from 'ioredis';

/** Sends reads of one slot in one go and answers what each answered. @throws what the first of them failed with */
export async function pipelined(redis: RedisClient, ask: (pipeline: ChainableCommander) => void): Promise<unknown[]> {
  const pipeline = redis.pipeline();
  ask(pipeline);
  const answers = (await pipeline.exec()) ?? [];
  return answers.map(([error, value]) => {
    if (error) {
      throw error;
    }
    return value;
  });
}
