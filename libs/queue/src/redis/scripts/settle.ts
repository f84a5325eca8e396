import type { Settlement, SettleVerdict } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';
import type { WithRandom } from './with-random.js';

export interface SettleParams {
  ends: readonly WithRandom<Settlement>[];
  /** What is kept of each stream of each start. */
  outputCapBytes: number;
}

/** Ends attempts; accepted only from the attempt that holds the job. */
export const settle = definePoolScript<SettleParams, SettleVerdict[]>({
  name: 'settle',
  lua: lua.settle,
  args: ({ ends, outputCapBytes }) => [
    outputCapBytes,
    ends.length,
    ...ends.flatMap((end) => [
      end.ulid,
      end.attemptId,
      end.fence,
      end.by ?? '',
      end.holder?.session ?? '',
      end.holder?.worker ?? '',
      end.holder?.number ?? 0,
      end.outcome,
      Number(end.retryable),
      Number(end.wasFrozen),
      end.end.exitCode ?? '',
      JSON.stringify(end.end),
      end.random,
      end.output.length,
      ...end.output.flatMap(({ stream, offset, sequence, data }) => [stream, offset, sequence, data]),
    ]),
  ],
  reply: (raw) => raw as SettleVerdict[],
});
