import { systemClock, systemRandom } from '@orchestrator/core';
import { RedisSessionRegistry } from '@orchestrator/heartbeat';
import { RedisQueueStore } from '@orchestrator/queue';
import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock, startRedis, type TestRedis } from '@orchestrator/testing';

import type { Assignee } from './assignee.js';
import { createCounters } from './counters.js';
import { PoolDispatcher } from './pool-dispatcher.js';

const NOBODY: Assignee = {
  session: 'session-a',
  worker: 'worker-a',
  welcomedAtMs: 0,
  offer: () => undefined,
  reserve: () => undefined,
  assign: () => undefined,
  recorded: () => undefined,
  order: () => undefined,
  send: () => undefined,
  rehello: () => undefined,
};

describe('PoolDispatcher', () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  const key = { ulid: '01M855MQWEPS5F24CJKKM0ZV7S', attemptId: 'a.0', fence: 1 };
  const ref = { jobId: `default:${key.ulid}`, attemptId: key.attemptId, fence: key.fence };
  /** Its call is under way when this resolves: the server must be stopped. */
  const giveBack = async (dispatcher: PoolDispatcher): Promise<void> => {
    dispatcher.report(NOBODY, ref, { ...key, reason: 'unstarted', started: false });
    await new Promise((resolve) => setImmediate(resolve));
  };

  async function setup(callTimeoutMs: number): Promise<{ clock: ManualClock; dispatcher: PoolDispatcher }> {
    const clock = new ManualClock();
    const redis = server.client();
    const store = new RedisQueueStore({ redis, clock: systemClock, random: systemRandom, callTimeoutMs });
    await store.counts('default');
    const dispatcher = new PoolDispatcher('default', {
      store,
      registry: new RedisSessionRegistry({ redis }),
      news: { subscribe: () => () => undefined },
      clock,
      random: systemRandom,
      logger: silentLogger,
      counters: createCounters(),
      onNextDue: () => undefined,
    });
    return { clock, dispatcher };
  }

  it('leaves no timer behind when it is stopped while the store does not answer', async () => {
    const { clock, dispatcher } = await setup(200);
    await server.signal('SIGSTOP');
    try {
      await giveBack(dispatcher);

      await dispatcher.stop();

      expect(dispatcher.unrecorded).toBe(1);
      expect(clock.pendingTimers).toBe(0);
    } finally {
      await server.signal('SIGCONT');
    }
  });

  it('asks for no credit while a call of its own is under way: other pools may have it', async () => {
    const { dispatcher } = await setup(2_000);
    dispatcher.attach(NOBODY);
    expect(dispatcher.hasAppetite).toBe(true);
    await server.signal('SIGSTOP');
    try {
      await giveBack(dispatcher);

      expect(dispatcher.hasAppetite).toBe(false);
    } finally {
      await server.signal('SIGCONT');
    }
    await dispatcher.stopClaims();
    expect(dispatcher.unrecorded).toBe(0);
    await dispatcher.stop();
  });
});
