import { type PoolRecovery, RECOVERY_MIN_MS } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { beginRecovery as lua } from '../lua.js';
import { toRecovery } from './to-recovery.js';

export interface BeginRecoveryParams {
  /** One chunk of those that the registry knows, at most `MAX_BATCH`. */
  sessions: readonly string[];
  /** The server that answered the chunks before; undefined for the first one. */
  runId: string | undefined;
  last: boolean;
}

/** Puts a pool that is on another server than it remembers into recovery, with the last chunk. */
export const beginRecovery = definePoolScript<BeginRecoveryParams, PoolRecovery | undefined>({
  name: 'begin-recovery',
  lua,
  args: ({ sessions, runId, last }) => [RECOVERY_MIN_MS, runId ?? '', last ? '1' : '0', ...sessions],
  reply: toRecovery,
});
