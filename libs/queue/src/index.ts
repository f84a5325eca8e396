export type { QueueOptions, WaitOptions } from './queue.js';
export { Queue } from './queue.js';
export type { QueueJob } from './queue-job.js';
export type {
  AttemptKey,
  BatchRecord,
  BatchStatus,
  CancelVerdict,
  ClaimedJob,
  ClaimReply,
  ClaimWant,
  EnqueueReply,
  GiveBack,
  HeldAttempt,
  IdempotencyRecord,
  JobFilter,
  JobPage,
  NewJob,
  OutputChunk,
  OutputVerdict,
  OutputWriter,
  PageRequest,
  PendingOrder,
  PoolGlance,
  PoolRecovery,
  PromoteReply,
  PurgeVerdict,
  QueueStore,
  ReclaimReply,
  ReclaimRequest,
  HeldVerdict,
  ReconcileReply,
  ReconcileRequest,
  RetentionLimits,
  RetryVerdict,
  Settlement,
  SettleVerdict,
  OutputEnds,
  StoredOutput,
  TrimReply,
  TurnReply,
} from './store.js';
export { MAX_BATCH, MAX_CLAIM_BYTES, MAX_OWNED, MAX_PAGE_BYTES, MAX_SCAN, MAX_TURN, RECOVERY_MIN_MS } from './store.js';
export {
  CorruptRecordError,
  DurabilityUnknownError,
  InvalidCursorError,
  JobNotFoundError,
  PartlyAddedError,
  QueueClosedError,
  SchemaMismatchError,
  StaleCallError,
  StaleEpochError,
  StoreFullError,
  StoreUnavailableError,
  WaitTimeoutError,
} from './errors.js';
export type { Waiting, WaitingContext } from './explain-waiting.js';
export { explainWaiting } from './explain-waiting.js';
export type { QueueKeys } from './keys.js';
export { DEFAULT_PREFIX, HISTORY_LIMIT, queueKeys, SCHEMA_VERSION } from './keys.js';
export type { RedisQueueStoreParams } from './redis/redis-queue-store.js';
export { OUTPUT_CAP_BYTES, RedisQueueStore } from './redis/redis-queue-store.js';
export type { Durability } from './redis/durability.js';
export { DURABILITY_EXPECTS, parseDurability } from './redis/durability.js';
export type { MigrateDataParams } from './redis/migrate-data.js';
export { MIGRATED_SCHEMA, migrateData } from './redis/migrate-data.js';
export type { DurabilityFacts } from './redis/durability-facts.js';
export { readDurabilityFacts } from './redis/durability-facts.js';
export { DURABILITY_LIMIT_MS } from './redis/durable-writes.js';
export { CALL_TIMEOUT_MS } from './redis/pool-calls.js';
export type { NewsEvent, NewsType } from './news.js';
export type { NewsListener, QueueNewsParams } from './queue-news.js';
export { QueueNews } from './queue-news.js';
