export type { CreateRedisOptions, RedisEvents, RedisTarget } from './create-redis.js';
export { COMMAND_TIMEOUT_MS, CONNECT_TIMEOUT_MS, createRedis, setAuthority, setPassword } from './create-redis.js';
export type { RedisClient, Script, ScriptArgument, ScriptDefinition } from './define-script.js';
export { defineScript, replyCode } from './define-script.js';
export type { SentinelTarget } from './sentinel-redis.js';
