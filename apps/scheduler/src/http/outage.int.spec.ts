import { type ApiBench, type JsonBody, startApi } from '../testing/a-server.js';

/** With everysec Redis puts writes off for up to two seconds while the disk is slow: a SIGKILL then loses what it has confirmed. */
const PERSISTENT = { persistent: true, args: ['--appendfsync', 'always'] };
const JOB = { name: 'a', command: 'true' };
/** What the contract promises. */
const ANSWER_BOUND_MS = 3_000;

const someJobs = (count: number): JsonBody[] => Array.from({ length: count }, (_, i) => ({ ...JOB, name: `n${i}` }));

describe.each(['SIGSTOP', 'SIGKILL'] as const)('while Redis is gone (%s)', (signal) => {
  let api: ApiBench;
  let id: string;
  beforeAll(async () => {
    api = await startApi(PERSISTENT);
    id = (await api.post('/api/v1/jobs', JOB)).body.id;
    await api.redis.signal(signal);
  });
  afterAll(async () => {
    await (signal === 'SIGSTOP' ? api.redis.signal('SIGCONT') : undefined);
    await api.stop();
  });

  it('answers everything that needs it with 503 within three seconds, and goes on when it is back', async () => {
    const calls: [string, () => ReturnType<ApiBench['get']>][] = [
      ['submit', () => api.post('/api/v1/jobs', JOB)],
      ['submit again', () => api.post('/api/v1/jobs', JOB)],
      ['submit with a key', () => api.post('/api/v1/jobs', JOB, { 'idempotency-key': 'k' })],
      ['submit a batch', () => api.post('/api/v1/jobs/batch', { jobs: someJobs(600) }, { 'idempotency-key': 'b' })],
      ['list', () => api.get('/api/v1/jobs')],
      ['read', () => api.get(`/api/v1/jobs/${id}`)],
      ['wait', () => api.get(`/api/v1/jobs/${id}?wait=30`)],
      ['logs', () => api.get(`/api/v1/jobs/${id}/logs`)],
      ['cancel', () => api.post(`/api/v1/jobs/${id}/cancel`)],
      ['worker', () => api.get('/api/v1/workers/w')],
    ];

    const answers = await Promise.all(
      calls.map(async ([what, call]) => {
        const began = performance.now();
        const answer = await call();
        return { what, answer, tookMs: performance.now() - began };
      }),
    );

    for (const { what, answer, tookMs } of answers) {
      expect([what, answer.status, answer.headers.get('retry-after')]).toEqual([what, 503, '1']);
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(answer.text).not.toMatch(/ at \/|\.js:\d|6379/);
      expect([what, tookMs < ANSWER_BOUND_MS]).toEqual([what, true]);
    }
    expect((await api.get('/healthz')).status).toBe(200);

    await (signal === 'SIGSTOP' ? api.redis.signal('SIGCONT') : api.redis.restart());
    const completed = await retried(() =>
      api.post('/api/v1/jobs/batch', { jobs: someJobs(600) }, { 'idempotency-key': 'b' }),
    );
    const batch = await api.get(`/api/v1/batches/${completed.body.batchId}`);
    expect(batch.body).toMatchObject({ total: 600, sealed: true, counts: { queued: 600 } });
    expect((await api.get(`/api/v1/jobs/${id}`)).status).toBe(200);
  });
});

describe('a batch that is cut short', () => {
  it('says how many were written, and the same key completes it without a job twice', async () => {
    const api = await startApi(PERSISTENT);
    try {
      const send = () => api.post('/api/v1/jobs/batch', { jobs: someJobs(10_000) }, { 'idempotency-key': 'cut' });
      const sending = send();
      for (let queued = 0; queued === 0;) {
        queued = (await api.store.counts('default')).queued;
      }
      await api.redis.signal('SIGKILL');

      const cut = await sending;
      await api.redis.restart();
      const { queued: before } = await retried(async () => ({ status: 201, ...(await api.store.counts('default')) }));
      const status = await retried(() => api.get(`/api/v1/batches/${cut.body.batchId}`));
      const completed = await retried(send);
      const batch = await api.get(`/api/v1/batches/${cut.body.batchId}`);

      expect([cut.status, cut.body.type]).toEqual([503, 'urn:orchestrator:problem:batch-cut-short']);
      expect(cut.body).toMatchObject({ total: 10_000, sealed: false });
      expect(cut.body.written).toBeLessThan(10_000);
      expect(before).toBeGreaterThanOrEqual(cut.body.written);
      expect(status.body.sealed).toBe(false);
      expect(completed.body.batchId).toBe(cut.body.batchId);
      expect(batch.body).toMatchObject({ sealed: true, counts: { queued: 10_000 } });
      expect((await api.store.counts('default')).queued).toBe(10_000);
    } finally {
      await api.stop();
    }
  });
});

describe('a full Redis', () => {
  it('answers 507 and takes nothing', async () => {
    const api = await startApi({ args: ['--maxmemory', '1'] });
    try {
      const answer = await api.post('/api/v1/jobs', JOB);

      expect([answer.status, answer.body.type]).toEqual([507, 'urn:orchestrator:problem:store-full']);
      expect((await api.post('/api/v1/jobs/batch', { jobs: someJobs(2) })).status).toBe(507);
    } finally {
      await api.stop();
    }
  });
});

/** Again and again until it works, within ten seconds. */
async function retried<T extends { status: number }>(call: () => Promise<T>): Promise<T> {
  const end = performance.now() + 10_000;
  for (;;) {
    const answer = await call().catch((error: unknown) => error as Error);
    if (!(answer instanceof Error) && answer.status < 500) {
      return answer;
    }
    if (performance.now() > end) {
      throw answer instanceof Error ? answer : new Error(`still ${answer.status}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
