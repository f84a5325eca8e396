export { OtherServerError, RegistryUnavailableError, StaleTermError } from './errors.js';
export type { SessionJudgeParams } from './judge.js';
export { LOOK_INTERVAL_MS, SessionJudge, STALL_MS } from './judge.js';
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
  Pulse,
  RegistryLook,
  RegistryPulses,
  Renewal,
  RenewalReply,
  SchedulerPresence,
  SessionInfo,
  SessionRecord,
  SessionRegistry,
} from './registry.js';
export { ANNOUNCE_INTERVAL_MS, DEATH_REASONS, PRESENCE_MS } from './registry.js';
export type { Beat, HeartbeatSenderParams, HeartbeatTrouble } from './sender.js';
export { HeartbeatSender, isLagging } from './sender.js';
export { isSuspect } from './suspect.js';
export type { HeartbeatTimings } from './timings.js';
export {
  ACKNOWLEDGEMENT_LAG,
  DEAD_AFTER_MS,
  DEFAULT_TIMINGS,
  HEARTBEAT_INTERVAL_MS,
  KILL_TIME_MS,
  LEASE_MARGIN_MS,
  LEASE_MS,
  requireSafeTimings,
  SILENT_INTERVALS,
} from './timings.js';
export { VersionWatch } from './version-watch.js';
