import type { RetentionLimits, TrimReply } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { trim as lua } from '../lua.js';

export interface TrimParams extends RetentionLimits {
  /** Batches whose own record is gone: what they counted here can go. */
  goneBatches: readonly string[];
}

export const trim = definePoolScript<TrimParams, TrimReply>({
  name: 'trim',
  lua,
  args: ({ maxFinished, maxOutputBytes, goneBatches }) => [maxFinished, maxOutputBytes, ...goneBatches],
  reply: (raw) => {
    const [jobs, outputs, more, ...emptiedBatches] = raw as [number, number, string, ...string[]];
    return { jobs, outputs, more: more === '1', emptiedBatches };
  },
});
