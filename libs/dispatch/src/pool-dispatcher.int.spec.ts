import { systemClock, systemRandom, type Ulid } from '@orchestrator/core';
import { RedisSessionRegistry } from '@orchestrator/heartbeat';
import { type AttemptKey, queueKeys, RedisQueueStore, type Settlement } from '@orchestrator/queue';
import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock, startRedis, type TestRedis } from '@orchestrator/testing';

import type { Assignee } from './assignee.js';
import { createCounters } from './counters.js';
import { PoolDispatcher } from './pool-dispatcher.js';
import type { PoolEvent } from './pool-news.js';
import { SAFETY_POLL_MS } from './safety-poll.js';

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

const ENDED: Omit<Settlement, keyof AttemptKey> = {
  outcome: 'succeeded',
  end: { exitCode: 0, signal: null, failure: null, output: { stdoutBytes: 0, stderrBytes: 0, truncated: false } },
  retryable: true,
  wasFrozen: false,
  output: [],
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

  /** How many clients of the store have made a call there. */
  async function clientsOf(pool: string): Promise<number> {
    const fields = await server.client().hkeys(queueKeys().pool(pool) + 'calls');
    return fields.filter((field) => /^[0-9a-f]{16}$/.test(field)).length;
  }

  async function setup(
    callTimeoutMs: number,
    pool = 'default',
  ): Promise<{
    clock: ManualClock;
    dispatcher: PoolDispatcher;
    store: RedisQueueStore;
    tell: (events: readonly PoolEvent[]) => void;
  }> {
    let tell: (events: readonly PoolEvent[]) => void = () => undefined;
    const clock = new ManualClock();
    const redis = server.client();
    const store = new RedisQueueStore({ redis, clock: systemClock, random: systemRandom, callTimeoutMs });
    await store.counts(pool);
    const dispatcher = new PoolDispatcher(pool, {
      store,
      registry: new RedisSessionRegistry({ redis }),
      news: {
        subscribe: (_pool, listener) => {
          tell = listener;
          return () => undefined;
        },
      },
      clock,
      random: systemRandom,
      logger: silentLogger,
      counters: createCounters(),
      onNextDue: () => undefined,
    });
    return { clock, dispatcher, store, tell: (events) => tell(events) };
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

  it.each([
    { waiting: 199, clients: 1 },
    { waiting: 200, clients: 2 },
  ])('settles beside a call under way when $waiting wait: by $clients client(s)', async ({ waiting, clients }) => {
    const pool = `waiting-${waiting}`;
    const { dispatcher } = await setup(5_000, pool);
    await server.signal('SIGSTOP');
    try {
      for (const [from, to] of [
        [0, 1],
        [1, 1 + waiting],
      ] as const) {
        for (let i = from; i < to; i += 1) {
          const attemptId = `a.${i}`;
          dispatcher.report(
            NOBODY,
            { jobId: `${pool}:${key.ulid}`, attemptId, fence: 1 },
            { ...key, ...ENDED, attemptId },
          );
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(dispatcher.unrecorded).toBe(1 + waiting);
    } finally {
      await server.signal('SIGCONT');
    }

    await dispatcher.stopClaims();
    expect(dispatcher.unrecorded).toBe(0);
    expect(await clientsOf(pool)).toBe(clients);
    await dispatcher.stop();
  });

  it('claims what news told of while a call was under way that could not bring it', async () => {
    const offer = { max: 1, free: 1, epoch: 1 };
    const answers: string[][] = [];
    const assign: Assignee['assign'] = (_pool, _epoch, _max, jobs) => answers.push(jobs.map(({ ulid }) => ulid));
    const worker: Assignee = { ...NOBODY, offer: () => offer, assign };
    const { dispatcher, store, tell } = await setup(5_000, 'foreseen');
    await server.client().hset(`${queueKeys().pool('foreseen')}gates`, worker.session, offer.epoch);
    dispatcher.attach(worker);
    await until(() => answers.length === 1);
    await dispatcher.submitting([key]); // the store has the claim before the job
    expect(answers).toHaveLength(2);
    const job = { ulid: key.ulid as Ulid, spec: { name: 'job', command: 'true' }, rule: {}, priority: 0 };
    await store.enqueue('foreseen', [job]);
    await server.signal('SIGSTOP');
    try {
      await giveBack(dispatcher);
      tell([{ type: 'queued', ulid: key.ulid }]);
    } finally {
      await server.signal('SIGCONT');
    }

    await until(() => answers.length === 3);
    expect(answers).toEqual([[], [], [key.ulid]]);
    await dispatcher.stop();
  });

  it('sees at the next look what came without news, and that somebody else has taken it', async () => {
    const { dispatcher, store, clock } = await setup(5_000, 'looked-at');
    const wait = async (holds: () => boolean): Promise<void> => {
      clock.advance(SAFETY_POLL_MS);
      await until(holds);
    };
    dispatcher.attach(NOBODY);
    const job = { ulid: key.ulid as Ulid, spec: { name: 'job', command: 'true' }, rule: {}, priority: 0 };
    await store.enqueue('looked-at', [job]);
    await wait(() => dispatcher.hasQueued);

    await store.cancel('looked-at', [key.ulid]);
    await wait(() => !dispatcher.hasQueued);

    await dispatcher.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

/** Within the time that a test has. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
