import type { PoolScript } from '../redis/define-pool-script.js';
import { appendOutput } from '../redis/scripts/append-output.js';
import { beginRecovery } from '../redis/scripts/begin-recovery.js';
import { cancel } from '../redis/scripts/cancel.js';
import { enqueue } from '../redis/scripts/enqueue.js';
import { giveBack } from '../redis/scripts/give-back.js';
import { promote } from '../redis/scripts/promote.js';
import { purge } from '../redis/scripts/purge.js';
import { reclaim } from '../redis/scripts/reclaim.js';
import { reconcile } from '../redis/scripts/reconcile.js';
import { retry } from '../redis/scripts/retry.js';
import { settle } from '../redis/scripts/settle.js';
import { trim } from '../redis/scripts/trim.js';
import { aChunk } from './a-chunk.js';
import { aJob, someJobs } from './a-job.js';
import { failure, returned, success } from './an-end.js';
import type { QueueSetup } from './setup.js';

export const CAP = 1_024;

/** One sending of a script with what it needs before it; the second sending answers `again` (default: the same). */
export interface ScriptCase {
  /** Answers how to send it as call `number`. */
  prepare(q: QueueSetup): Promise<(number: number) => Promise<unknown>>;
  again?: (first: unknown) => unknown;
}

/** How to send a script as call `number`. */
export function sending<P, R>(q: QueueSetup, script: PoolScript<P, R>, params: P): (number: number) => Promise<R> {
  return (number) => q.send(script, number, params);
}

/** Every numbered script but claim and turn, which may not be sent twice. */
export const SCRIPT_CASES: Record<string, ScriptCase> = {
  'append-output': {
    prepare: async (q) => sending(q, appendOutput, { capBytes: CAP, chunks: [aChunk(await q.run(), 'hello')] }),
  },
  'begin-recovery': {
    prepare: async (q) => {
      await q.run();
      await q.moveServer();
      return sending(q, beginRecovery, { sessions: ['session-b'], runId: undefined, last: true });
    },
  },
  cancel: {
    prepare: async (q) => {
      const { ulid } = await q.run();
      return sending(q, cancel, { ulids: [ulid, ...(await q.add(aJob(), aJob({ delayMs: 60_000 })))] });
    },
  },
  enqueue: {
    prepare: async (q) => sending(q, enqueue, [...someJobs(2, { batchId: 'b' }), aJob({ delayMs: 60_000 })]),
    again: (first) => (first as object[]).map((reply) => ({ ...reply, repeated: true })),
  },
  'give-back': {
    prepare: async (q) => {
      const [free, lost] = [await q.run(aJob({ priority: 1 })), await q.run(aJob({ priority: 2 }))];
      const returns = [returned(free), returned(lost, { reason: 'lease_lost', started: true })];
      return sending(
        q,
        giveBack,
        returns.map((one) => ({ ...one, random: 0.5 })),
      );
    },
    again: () => ['repeated', 'repeated'],
  },
  promote: {
    prepare: async (q) => {
      await q.add(...someJobs(3, { delayMs: 60_000 }));
      await q.makeDue();
      return sending(q, promote, undefined);
    },
    again: (first) => ({ ...(first as object), moved: 0 }),
  },
  purge: {
    prepare: async (q) => {
      const job = await q.run(aJob({ batchId: 'b' }));
      await q.store.appendOutput(q.pool, [aChunk(job, 'hello')]);
      await q.store.settle(q.pool, [success(job)]);
      return sending(q, purge, { ulids: [job.ulid] });
    },
  },
  reclaim: {
    prepare: async (q) => {
      await q.run(aJob({ priority: 1 }), 'dead');
      await q.run(aJob({ priority: 2 }), 'dead');
      return sending(q, reclaim, { session: 'dead', losses: 1, reason: 'no heartbeat', random: 0.5 });
    },
    again: () => ({ moved: [], remaining: 0 }),
  },
  reconcile: {
    prepare: async (q) => {
      const [held] = [await q.run(aJob({ priority: 1 })), await q.run(aJob({ priority: 2 }))];
      const names = { session: 'session-a', worker: 'worker-of-session-a' };
      const attempts = [{ ...held, state: 'running' as const }];
      return sending(q, reconcile, { ...names, epoch: 2, held: attempts, last: true });
    },
    again: (first) => ({ ...(first as object), requeued: 0 }),
  },
  retry: {
    prepare: async (q) => {
      const job = await q.run();
      await q.store.settle(q.pool, [failure(job)]);
      return sending(q, retry, { ulids: [job.ulid] });
    },
  },
  settle: {
    prepare: async (q) => {
      const jobs = [await q.run(), await q.run(), await q.run(aJob({ attempts: 2 }))] as const;
      const ends = [success(jobs[0], { output: [aChunk(jobs[0], 'hello')] }), failure(jobs[1]), failure(jobs[2])];
      return sending(q, settle, { outputCapBytes: CAP, ends: ends.map((one) => ({ ...one, random: 0.5 })) });
    },
    again: () => ['repeated', 'repeated', 'repeated'],
  },
  trim: {
    prepare: async (q) => {
      await q.store.settle(q.pool, [success(await q.run())]);
      await q.store.settle(q.pool, [success(await q.run())]);
      return sending(q, trim, { maxFinished: 1, maxOutputBytes: CAP, goneBatches: [] });
    },
    again: (first) => ({ ...(first as object), jobs: 0, more: false }),
  },
};
