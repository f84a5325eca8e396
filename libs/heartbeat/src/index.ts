export { OtherServerError, RegistryUnavailableError, StaleTermError } from './errors.js';
export type { ControlKeys } from './keys.js';
export { controlKeys } from './keys.js';
export type { RedisSessionRegistryParams } from './redis/redis-session-registry.js';
export { DEAD_KEPT_MS, DEAD_SHOWN_MS, RedisSessionRegistry } from './redis/redis-session-registry.js';
export type {
  Death,
  DeathReason,
  DeathVerdict,
  HelloReply,
  HelloRequest,
  RegistryLook,
  Renewal,
  RenewalReply,
  SessionInfo,
  SessionRecord,
  SessionRegistry,
} from './registry.js';
export { DEATH_REASONS } from './registry.js';
