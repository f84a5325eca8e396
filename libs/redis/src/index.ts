export type { CreateRedisOptions, RedisEvents } from './create-redis.js';
export { COMMAND_TIMEOUT_MS, CONNECT_TIMEOUT_MS, createRedis } from './create-redis.js';
export type { RedisClient, Script, ScriptArgument, ScriptDefinition } from './define-script.js';
export { defineScript, replyCode } from './define-script.js';
