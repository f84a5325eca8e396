import type { Settlement, SettleVerdict } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';
import type { WithRandom } from './with-random.js';

/** Ends attempts; accepted only from the attempt that holds the job. */
export const settle = definePoolScript<readonly WithRandom<Settlement>[], SettleVerdict[]>({
  name: 'settle',
  lua: lua.settle,
  args: (ends) => [
    ends.length,
    ...ends.flatMap((end) => [
      end.ulid,
      end.attemptId,
      end.fence,
      end.outcome,
      Number(end.retryable),
      Number(end.wasFrozen),
      end.end.exitCode ?? '',
      JSON.stringify(end.end),
      end.random,
    ]),
  ],
  reply: (raw) => raw as SettleVerdict[],
});
