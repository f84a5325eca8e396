import type { HeldAttempt, RedisQueueStore } from '@orchestrator/queue';

import { askAgain, HELD_PER_CALL, reconcileSession } from './session-reconciler.js';
import { type DispatchBench, startBench } from './testing/dispatch-bench.js';

describe('reconciling what a worker holds', () => {
  let bench: DispatchBench;
  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench.stop());

  it('asks in calls that hold Redis for less than 5 ms, the last one opens the door', async () => {
    const { store, submit } = bench.setup();
    const session = { session: 's', worker: 'w' };
    await store.reconcile('default', { ...session, epoch: 1, held: [], last: true });
    await submit(250);
    const { jobs } = await store.claim('default', [{ ...session, epoch: 1, max: 250, free: 250 }]);
    const calls: [number, boolean][] = [];
    const reconcile: RedisQueueStore['reconcile'] = (pool, request) => {
      calls.push([request.held.length, request.last]);
      return store.reconcile(pool, request);
    };
    const held = jobs.map((job): HeldAttempt => ({ ...job, state: 'running' }));
    const task = { ...session, pool: 'default', epoch: 2, held };
    const counting = new Proxy(store, { get: (_, name) => (name === 'reconcile' ? reconcile : undefined) });

    const { verdicts, requeued } = await reconcileSession(counting, task);
    const again = await askAgain(counting, task);

    expect(calls).toEqual([
      [HELD_PER_CALL, false],
      [HELD_PER_CALL, false],
      [50, true],
      [HELD_PER_CALL, false],
      [HELD_PER_CALL, false],
      [50, false],
    ]);
    expect([verdicts, again]).toEqual([jobs.map(() => 'held'), jobs.map(() => 'held')]);
    expect(requeued).toBe(0);
  });
});
