export { LeaseEndedError, LockUnavailableError } from './errors.js';
export type { Leadership, LeaderElectionParams } from './leader-election.js';
export { LeaderElection, STEP_DOWN_MS } from './leader-election.js';
export type { Lease, Lock } from './lock.js';
export type { RedlockLockParams } from './redlock-lock.js';
export { DEFAULT_LOCK_RETRY_MS, DEFAULT_LOCK_TTL_MS, lockKey, RedlockLock } from './redlock-lock.js';
