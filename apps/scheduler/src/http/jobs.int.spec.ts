import { parseJobId } from '@orchestrator/core';
import { Value } from 'typebox/value';

import { type ApiBench, startApi } from '../testing/a-server.js';
import { JobView } from './job-view.js';

const JOB = { name: 'test_job', command: 'echo Hello from worker', priority: 1, timeout: 30 };
/** A client that has hung up is let go within this. */
const RELEASE_BOUND_MS = 2_000;

let api: ApiBench;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

/** A pool of its own for one test. */
let pools = 0;
const newPool = (): string => `pool-${++pools}`;

describe('POST /api/v1/jobs', () => {
  it('answers 201 with the job and its place, and Redis has it', async () => {
    const answer = await api.post('/api/v1/jobs', JOB);

    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe(`/api/v1/jobs/${answer.body.id}`);
    expect(answer.body).toMatchObject({
      ...JOB,
      pool: 'default',
      state: 'queued',
      attempt: 0,
      attempts: 1,
      waiting: {},
    });
    const read = await api.get(`/api/v1/jobs/${answer.body.id}`);
    expect(read.body).toMatchObject({ ...JOB, id: answer.body.id, createdAt: answer.body.createdAt });
  });

  it.each([
    ['application/x-www-form-urlencoded', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['application/json; charset=utf-8', { 'content-type': 'application/json; charset=utf-8' }],
  ])('takes JSON under %s', async (_name, headers) => {
    const answer = await api.post('/api/v1/jobs', '{"name":"long_task","command":"sleep 30","timeout":60}', headers);

    expect(answer.status).toBe(201);
  });

  it('takes JSON without any content type', async () => {
    const answer = await api.send('/api/v1/jobs', { method: 'POST', body: Buffer.from(JSON.stringify(JOB)) });

    expect(answer.status).toBe(201);
  });

  it('answers what is answered as the schema of the document says', async () => {
    const full = {
      name: 'full',
      argv: ['printf', '%s', 'ü'],
      pool: newPool(),
      priority: -5,
      timeout: '1.5m',
      killGrace: 0,
      onLeaseLost: 'continue',
      freezeLimit: '2m',
      env: { SECRET: 'hush' },
      cwd: '/tmp',
      stdin: 'hush too',
      delay: 0.5,
      attempts: 3,
      maxWorkerLosses: 2,
      backoff: { type: 'fixed', delay: '250ms' },
      noRetryExitCodes: [2],
      labels: { team: 'a' },
      retain: '1h',
    };

    const { body } = await api.post('/api/v1/jobs', full);
    const read = await api.get(`/api/v1/jobs/${body.id}`);

    expect([...Value.Errors(JobView, body)]).toEqual([]);
    expect([...Value.Errors(JobView, read.body)]).toEqual([]);
    expect(Object.keys(read.body).filter((key) => !(key in JobView.properties))).toEqual([]);
    expect(read.body).toMatchObject({
      timeout: 90,
      killGrace: 0,
      onLeaseLost: 'continue',
      freezeLimit: 120,
      backoff: { type: 'fixed', delay: 0.25 },
      retain: 3_600,
      state: 'scheduled',
    });
    expect(read.body.waiting).toMatchObject({ reason: 'scheduled', until: expect.any(String) });
    expect(JSON.stringify([body, read.body])).not.toContain('hush');
  });

  it('answers the defaults of what is lost with the lease, and keeps none of them', async () => {
    const said = { ...JOB, onLeaseLost: 'freeze', freezeLimit: 600 };

    const { body } = await api.post('/api/v1/jobs', JOB);
    const same = await api.post('/api/v1/jobs', said);
    const [kept] = await api.store.getJobs('default', [parseJobId(same.body.id as string)?.ulid ?? '']);

    expect(body).toMatchObject({ onLeaseLost: 'freeze', freezeLimit: 600, killGrace: null });
    expect(same.body).toMatchObject({ onLeaseLost: 'freeze', freezeLimit: 600 });
    expect(kept?.spec).not.toHaveProperty('onLeaseLost');
    expect(kept?.spec).not.toHaveProperty('freezeLimitMs');
  });

  it('takes many at once, each exactly once', async () => {
    const pool = newPool();

    const answers = await Promise.all(
      Array.from({ length: 600 }, (_, i) => api.post('/api/v1/jobs', { name: `n${i}`, command: 'true', pool })),
    );

    expect(new Set(answers.map(({ body }) => body.id as string)).size).toBe(600);
    expect((await api.store.counts(pool)).queued).toBe(600);
  });
});

describe('GET /api/v1/jobs', () => {
  it('lists newest first, page by page, and filters', async () => {
    const pool = newPool();
    for (let i = 0; i < 5; i += 1) {
      await api.post('/api/v1/jobs', { name: `n${i % 2}`, command: 'true', pool, labels: { i: String(i) } });
    }

    const first = await api.get(`/api/v1/jobs?pool=${pool}&limit=3`);
    const second = await api.get(`/api/v1/jobs?pool=${pool}&limit=3&cursor=${first.body.nextCursor}`);

    expect((first.body.items as JobView[]).map((job) => job.labels['i'])).toEqual(['4', '3', '2']);
    expect((second.body.items as JobView[]).map((job) => job.labels['i'])).toEqual(['1', '0']);
    expect(second.body.nextCursor).toBeNull();
    const named = await api.get(`/api/v1/jobs?pool=${pool}&name=n1&state=queued&state=running`);
    expect(named.body.items).toHaveLength(2);
    const labelled = await api.get(`/api/v1/jobs?pool=${pool}&label=i:3`);
    expect(labelled.body.items).toHaveLength(1);
    expect((await api.get(`/api/v1/jobs?pool=${pool}&state=failed`)).body).toEqual({ items: [], nextCursor: null });
  });

  it.each([
    ['state=nonsense', 'state'],
    ['cursor=nonsense', 'cursor'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=5&limit=6', 'limit'],
    ['pool=UPPER', 'pool'],
    ['label=nocolon', 'label'],
    ['nonsense=1', 'nonsense'],
    ['workflow=1', 'workflow'],
  ])('refuses ?%s', async (query, path) => {
    const answer = await api.get(`/api/v1/jobs?${query}`);

    expect(answer.status).toBe(400);
    expect(answer.body.errors[0].path).toBe(path);
  });
});

describe('GET /api/v1/jobs/{id}', () => {
  it('answers 404 for what is no job', async () => {
    for (const id of [
      'default:01HZZZZZZZZZZZZZZZZZZZZZZZ',
      'nonsense',
      '..%2f..%2fetc',
      'a:b',
      '%7Btag%7D:x',
      '%F0%9F%92%A9',
    ]) {
      const answer = await api.get(`/api/v1/jobs/${id}`);

      expect([answer.status, answer.body.type]).toEqual([404, 'urn:orchestrator:problem:job-not-found']);
    }
  });

  it('says why a job waits', async () => {
    const pool = newPool();
    const { body: first } = await api.post('/api/v1/jobs', { name: 'a', command: 'true', pool });
    await api.post('/api/v1/jobs', { name: 'b', command: 'true', pool });
    const { body: third } = await api.post('/api/v1/jobs', { name: 'c', command: 'true', pool });

    const alone = await api.get(`/api/v1/jobs/${first.id}`);
    const session = await api.join(`worker-${pool}`, [pool], 1);
    await api.claim(session, pool);
    const record = await api.registry.get(session);
    await api.registry.renew([
      { session, epoch: record?.epoch ?? 0, freeSlots: 0, load: 0, memoryUsedBytes: 0, memoryTotalBytes: 0 },
    ]);
    await api.get('/api/v1/workers');
    await new Promise((resolve) => setTimeout(resolve, 1_100)); // as old as a look may be
    const busy = await api.get(`/api/v1/jobs/${third.id}`);

    expect(alone.body.waiting).toMatchObject({ reason: 'no_workers', position: 0 });
    expect(busy.body.waiting).toMatchObject({
      reason: 'slots_busy',
      position: 1,
      detail: expect.stringContaining(pool),
    });
    expect((await api.get(`/api/v1/jobs/${first.id}`)).body.waiting).toBeNull();
  });

  it('says that a job waits for the recovery of its pool', async () => {
    const pool = newPool();
    const { body: job } = await api.post('/api/v1/jobs', { name: 'a', command: 'true', pool });
    await api.redis.client().hset(`orc:p:{${pool}}:calls`, 'server', 'another');
    await api.store.beginRecovery(pool, ['session-1']);

    const { waiting } = (await api.get(`/api/v1/jobs/${job.id}`)).body;

    expect(waiting).toMatchObject({ reason: 'no_workers', position: 0 });
    expect(waiting.detail).toContain(
      'is in recovery after Redis was restarted or replaced: it awaits word from 1 worker',
    );
  });

  it('waits until the job is final', async () => {
    const pool = newPool();
    const { body } = await api.post('/api/v1/jobs', { name: 'a', command: 'true', pool });
    const session = await api.join(`worker-${pool}`, [pool]);
    const polled = api.get(`/api/v1/jobs/${body.id}?wait=30`);

    const began = performance.now();
    await api.succeed(await api.claim(session, pool), { pool, stdout: 'Hello\n' });
    const answer = await polled;

    expect(performance.now() - began).toBeLessThan(1_000);
    expect(answer.body).toMatchObject({ state: 'succeeded', exitCode: 0, worker: `worker-${pool}`, waiting: null });
    expect(answer.body.history).toMatchObject([{ number: 1, outcome: 'succeeded', exitCode: 0 }]);
    expect([...Value.Errors(JobView, answer.body)]).toEqual([]);
  });

  it('answers what there is when the time is up, and refuses times that are none', async () => {
    const { body } = await api.post('/api/v1/jobs', { ...JOB, pool: newPool() });

    const began = performance.now();
    const answer = await api.get(`/api/v1/jobs/${body.id}?wait=0.3`);

    expect(answer.body.state).toBe('queued');
    expect(performance.now() - began).toBeGreaterThan(290);
    for (const wait of ['61', '-1', 'x', '1e1', '']) {
      const refused = await api.get(`/api/v1/jobs/${body.id}?wait=${wait}`);
      expect([refused.status, refused.body.errors[0].path]).toEqual([400, 'wait']);
    }
  });

  it('lets go of a client that hangs up', async () => {
    const { body } = await api.post('/api/v1/jobs', { ...JOB, pool: newPool() });
    const hangUp = new AbortController();
    const polled = fetch(`${api.url}/api/v1/jobs/${body.id}?wait=30`, { signal: hangUp.signal }).catch(() => undefined);
    await until(() => api.polls.waiters === 1);

    hangUp.abort();
    await polled;

    await until(() => api.polls.waiters === 0);
  });
});

describe('cancel, retry and delete', () => {
  it('cancels a waiting job at once, also twice, and queues it again', async () => {
    const { body } = await api.post('/api/v1/jobs', { ...JOB, pool: newPool() });

    const cancelled = await api.post(`/api/v1/jobs/${body.id}/cancel`);
    const again = await api.post(`/api/v1/jobs/${body.id}/cancel`);
    const retried = await api.post(`/api/v1/jobs/${body.id}/retry`);
    const twice = await api.post(`/api/v1/jobs/${body.id}/retry`);

    expect([cancelled.status, cancelled.body.state]).toEqual([202, 'cancelled']);
    expect([again.status, again.body.state]).toEqual([202, 'cancelled']);
    expect(again.body.failure).toEqual({ reason: 'cancelled', message: 'cancel requested' });
    expect([retried.status, retried.body.state]).toEqual([202, 'queued']);
    expect([twice.status, twice.body.type]).toEqual([409, 'urn:orchestrator:problem:job-not-retryable']);
  });

  it('asks a running job to end, and refuses what is over', async () => {
    const pool = newPool();
    const { body } = await api.post('/api/v1/jobs', { ...JOB, pool });
    const session = await api.join(`worker-${pool}`, [pool]);
    const claimed = await api.claim(session, pool);

    const running = await api.send(`/api/v1/jobs/${body.id}`, { method: 'DELETE' });
    const cancelled = await api.post(`/api/v1/jobs/${body.id}/cancel`);
    await api.succeed(claimed, { pool });
    const late = await api.post(`/api/v1/jobs/${body.id}/cancel`);
    const removed = await api.send(`/api/v1/jobs/${body.id}`, { method: 'DELETE' });

    expect([running.status, running.body.type]).toEqual([409, 'urn:orchestrator:problem:job-not-final']);
    expect(cancelled.body).toMatchObject({ state: 'running', cancelRequestedAt: expect.any(String) });
    expect([late.status, late.body.type]).toEqual([409, 'urn:orchestrator:problem:job-not-cancellable']);
    expect([removed.status, removed.text]).toEqual([204, '']);
    expect((await api.get(`/api/v1/jobs/${body.id}`)).status).toBe(404);
    expect((await api.send(`/api/v1/jobs/${body.id}`, { method: 'DELETE' })).status).toBe(404);
  });

  it('refuses a body where none is expected', async () => {
    const { body } = await api.post('/api/v1/jobs', { ...JOB, pool: newPool() });

    expect((await api.post(`/api/v1/jobs/${body.id}/cancel`, { force: true })).status).toBe(400);
    expect((await api.post(`/api/v1/jobs/${body.id}/cancel`, {})).status).toBe(202);
  });
});

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + RELEASE_BOUND_MS;
  while (!holds()) {
    if (performance.now() > end) {
      throw new Error('it did not happen in time');
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
