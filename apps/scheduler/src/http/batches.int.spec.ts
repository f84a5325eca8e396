import { type ApiBench, startApi } from '../testing/a-server.js';

const JOB = { name: 'a', command: 'true' };

let api: ApiBench;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

let pools = 0;
const newPool = (): string => `pool-${++pools}`;
interface Named {
  id: string;
  name: string;
}
const someJobs = (count: number, pool: string): (typeof JOB & { pool: string })[] =>
  Array.from({ length: count }, (_, i) => ({ ...JOB, name: `n${i}`, pool }));

describe('POST /api/v1/jobs/batch', () => {
  it('takes 10,000 jobs over two pools and answers them in order', async () => {
    const [one, two] = [newPool(), newPool()];
    const jobs = someJobs(10_000, one).map((job, i) => (i % 3 === 0 ? { ...job, pool: two } : job));

    const answer = await api.post('/api/v1/jobs/batch', { name: 'big', jobs });
    const batch = await api.get(`/api/v1/batches/${answer.body.batchId}`);

    expect(answer.status).toBe(201);
    expect((answer.body.jobs as Named[]).map((job) => job.name)).toEqual(jobs.map((job) => job.name));
    expect(new Set((answer.body.jobs as Named[]).map((job) => job.id)).size).toBe(10_000);
    expect(answer.body.jobs[3]).toMatchObject({ pool: two, id: expect.stringMatching(`^${two}:`) });
    expect(batch.body).toMatchObject({ name: 'big', total: 10_000, sealed: true, done: false });
    expect(batch.body.counts).toMatchObject({ queued: 10_000, running: 0, succeeded: 0 });
    const [first] = (await api.get(`/api/v1/jobs?batch=${answer.body.batchId}&limit=1`)).body.items;
    expect(first.batchId).toBe(answer.body.batchId);
  });

  it('is checked as a whole before anything is written', async () => {
    const pool = newPool();

    const wrong = await api.post('/api/v1/jobs/batch', { jobs: [...someJobs(300, pool), { ...JOB, priority: 'x' }] });
    const none = await api.post('/api/v1/jobs/batch', { jobs: [] });
    const many = await api.post('/api/v1/jobs/batch', { jobs: someJobs(10_001, pool) });
    const two = await api.post('/api/v1/jobs/batch', { jobs: [...someJobs(1, pool), { ...JOB, argv: ['a'] }] });

    expect([wrong.status, wrong.body.errors[0].path]).toEqual([400, 'jobs[300].priority']);
    expect([none.status, none.body.errors[0].path]).toEqual([400, 'jobs']);
    expect([many.status, many.body.errors[0].path]).toEqual([400, 'jobs']);
    expect([two.status, two.body.errors[0].path]).toEqual([400, 'jobs[1].argv']);
    expect((await api.store.counts(pool)).queued).toBe(0);
  });

  it('long-polls until it is done', async () => {
    const pool = newPool();
    const { body } = await api.post('/api/v1/jobs/batch', { jobs: someJobs(2, pool) });
    const session = await api.join(`worker-${pool}`, [pool]);
    const polled = api.get(`/api/v1/batches/${body.batchId}?wait=30`);

    await api.succeed(await api.claim(session, pool), { pool });
    await api.succeed(await api.claim(session, pool), { pool, exitCode: 3 });
    const batch = await polled;

    expect(batch.body).toMatchObject({ done: true, sealed: true });
    expect(batch.body.counts).toMatchObject({ succeeded: 1, failed: 1, queued: 0 });
  });

  it('answers 404 for what is no batch', async () => {
    for (const id of ['nonsense', '01HZZZZZZZZZZZZZZZZZZZZZZZ', '%7Bx%7D']) {
      const answer = await api.get(`/api/v1/batches/${id}`);
      expect([answer.status, answer.body.type]).toEqual([404, 'urn:orchestrator:problem:batch-not-found']);
    }
  });
});

describe('Idempotency-Key', () => {
  it('makes one job of fifty submissions at once', async () => {
    const pool = newPool();
    const headers = { 'idempotency-key': 'fifty' };

    const answers = await Promise.all(
      Array.from({ length: 50 }, () => api.post('/api/v1/jobs', { ...JOB, pool }, headers)),
    );
    const later = await api.post('/api/v1/jobs', { pool, ...JOB }, headers);

    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map(({ body }) => body.id as string)).size).toBe(1);
    expect((await api.store.counts(pool)).queued).toBe(1);
    expect(later.headers.get('idempotency-replayed')).toBe('true');
    expect(later.body.id).toBe(answers[0]?.body.id);
    expect(answers.filter(({ headers: h }) => h.get('idempotency-replayed') === null)).toHaveLength(1);
  });

  it('belongs to one body and one path', async () => {
    const pool = newPool();
    const headers = { 'idempotency-key': 'body' };
    await api.post('/api/v1/jobs', { ...JOB, pool }, headers);

    const other = await api.post('/api/v1/jobs', { ...JOB, pool, priority: 1 }, headers);
    const batch = await api.post('/api/v1/jobs/batch', { jobs: [{ ...JOB, pool }] }, headers);

    expect([other.status, other.body.type]).toEqual([422, 'urn:orchestrator:problem:idempotency-key-reused']);
    expect(batch.status).toBe(201);
  });

  it('answers the first answer again, also when the job has moved on', async () => {
    const pool = newPool();
    const headers = { 'idempotency-key': 'moved' };
    const first = await api.post('/api/v1/jobs', { ...JOB, pool }, headers);
    await api.post(`/api/v1/jobs/${first.body.id}/cancel`);

    const again = await api.post('/api/v1/jobs', { ...JOB, pool }, headers);

    expect(again.body).toEqual(first.body);
    expect(again.status).toBe(201);
  });

  it('answers a batch again without writing it again', async () => {
    const pool = newPool();
    const headers = { 'idempotency-key': 'batch' };
    const jobs = someJobs(300, pool);

    const first = await api.post('/api/v1/jobs/batch', { jobs }, headers);
    const again = await api.post('/api/v1/jobs/batch', { jobs }, headers);

    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await api.store.counts(pool)).queued).toBe(300);
  });

  it('is refused when it is none', async () => {
    for (const key of ['', 'with space', 'x'.repeat(256)]) {
      const answer = await api.post('/api/v1/jobs', JOB, { 'idempotency-key': key });
      expect([answer.status, answer.body.errors[0].path]).toEqual([400, 'Idempotency-Key']);
    }
  });
});
