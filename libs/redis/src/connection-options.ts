import type { RedisOptions } from 'ioredis';

/** Options of ioredis, replies in the shapes that they always had. */
export type ConnectionOptions = RedisOptions & { replyMapping?: 'legacy' };
