import { request as httpRequest } from 'node:http';

import { FAILURES_PER_MINUTE } from './request-limits.js';
import { type ApiBench, startApi } from '../testing/a-server.js';
import { tableOf, testToken } from '../testing/tokens.js';

const JOB = { name: 'a', command: 'true' };
const PATH = '/api/v1/jobs';
const VIEWER = testToken('reads', 'viewer');
const ONE = testToken('one', 'submitter');
const TWO = testToken('two', 'submitter');
const ADMIN = testToken('rules', 'admin');
const UNKNOWN = testToken('nowhere', 'admin');
const TOKENS = tableOf(VIEWER, ONE, TWO, ADMIN);

describe('what a token submitted', () => {
  let api: ApiBench;
  beforeAll(async () => {
    api = await startApi({ tokens: TOKENS });
  });
  afterAll(() => api.stop());

  const submit = async (token = ONE): Promise<string> => String((await api.post(PATH, JOB, token.headers)).body.id);

  it('is answered with its name, alone, in a list and in a batch', async () => {
    const posted = await api.post(PATH, JOB, ONE.headers);
    const batch = await api.post(`${PATH}/batch`, { jobs: [JOB] }, TWO.headers);
    const read = await api.get(`${PATH}/${posted.body.id}`, VIEWER.headers);
    const inBatch = await api.get(`${PATH}/${batch.body.jobs[0].id}`, VIEWER.headers);
    const list = await api.get(`${PATH}?batch=${batch.body.batchId}`, VIEWER.headers);

    expect([posted.body.submittedBy, read.body.submittedBy]).toEqual(['one', 'one']);
    expect([inBatch.body.submittedBy, list.body.items[0].submittedBy]).toEqual(['two', 'two']);
  });

  it('is cancelled by it, and by an admin, and by no other submitter', async () => {
    const [own, others, third] = [await submit(), await submit(TWO), await submit(TWO)];

    const cancelled = await api.post(`${PATH}/${own}/cancel`, undefined, ONE.headers);
    const refused = await api.post(`${PATH}/${others}/cancel`, undefined, ONE.headers);
    const byAdmin = await api.post(`${PATH}/${third}/cancel`, undefined, ADMIN.headers);
    const unknown = await api.post(`${PATH}/default:01M855FFMAXPEBV5E5GCY7P730/cancel`, undefined, ONE.headers);

    expect([cancelled.status, byAdmin.status, unknown.status]).toEqual([202, 202, 404]);
    expect([refused.status, refused.body.type]).toEqual([403, 'urn:orchestrator:problem:forbidden']);
    expect(refused.body.detail).toContain('its own jobs only');
    expect((await api.get(`${PATH}/${others}`, VIEWER.headers)).body.state).toBe('queued');
  });

  it("is nobody's when nobody was asked for a token", async () => {
    const [ulid] = [api.deps.newUlid()];
    await api.store.enqueue('default', [{ ulid, priority: 0, spec: { name: 'a', command: 'true' }, rule: {} }]);

    const read = await api.get(`${PATH}/default:${ulid}`, VIEWER.headers);
    const refused = await api.post(`${PATH}/default:${ulid}/cancel`, undefined, ONE.headers);

    expect([read.body.submittedBy, refused.status]).toEqual([null, 403]);
  });

  it.each(['submittedBy', 'state', 'fence', 'worker', 'attempt', 'id', 'createdAt', 'batchId'])(
    'cannot say itself what only the server says: %s',
    async (field) => {
      const one = await api.post(PATH, { ...JOB, [field]: 'rules' }, ONE.headers);
      const many = await api.post(`${PATH}/batch`, { jobs: [{ ...JOB, [field]: 'rules' }] }, ONE.headers);

      expect([one.status, one.body.errors[0].path]).toEqual([400, field]);
      expect([many.status, many.body.errors[0].path]).toEqual([400, `jobs[0].${field}`]);
    },
  );

  it('is repeated with an Idempotency-Key of its own: that of another token is another', async () => {
    const as = (token: typeof ONE): Record<string, string> => ({ ...token.headers, 'idempotency-key': 'k' });
    const first = await api.post(PATH, JOB, as(ONE));
    const again = await api.post(PATH, JOB, as(ONE));
    const other = await api.post(PATH, { ...JOB, name: 'b' }, as(TWO));

    expect([first.body.id, again.headers.get('idempotency-replayed')]).toEqual([again.body.id, 'true']);
    expect([other.status, other.headers.get('idempotency-replayed'), other.body.submittedBy]).toEqual([
      201,
      null,
      'two',
    ]);
    expect(other.body.id).not.toBe(first.body.id);
  });

  it('is asked for under whatever name the server has, but not from another origin', async () => {
    const ask = (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        httpRequest(api.url + PATH, { headers: { ...VIEWER.headers, ...headers } }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        })
          .on('error', reject)
          .end();
      });

    expect(await ask({ host: 'jobs.example.com' })).toBe(200);
    expect(await ask({ host: 'jobs.example.com', origin: 'http://jobs.example.com' })).toBe(200);
    expect(await ask({ host: 'jobs.example.com', origin: 'http://evil.example' })).toBe(403);
    expect(await ask({ 'sec-fetch-site': 'cross-site' })).toBe(403);
  });
});

describe('http.rateLimit', () => {
  const limits = (answer: { headers: Headers }): (string | null)[] =>
    ['limit', 'remaining'].map((name) => answer.headers.get(`ratelimit-${name}`));

  it('counts by token: one that asked too often waits, another one from its address does not', async () => {
    const api = await startApi({ tokens: TOKENS, rateLimit: 3 });
    const answers = [];
    for (let i = 0; i < 4; i += 1) {
      answers.push(await api.get(PATH, ONE.headers));
    }
    const refused = answers[3];
    const other = await api.get(PATH, TWO.headers);
    const health = await api.get('/healthz');
    await api.stop();

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(answers.slice(0, 3).map(limits)).toEqual([
      ['3', '2'],
      ['3', '1'],
      ['3', '0'],
    ]);
    expect(refused?.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(refused?.body).toMatchObject({
      type: 'urn:orchestrator:problem:rate-limited',
      status: 429,
      detail: 'more than 3 requests a minute with the token one',
    });
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused?.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(Number(refused?.headers.get('ratelimit-reset'))).toBeGreaterThan(0);
    expect([other.status, limits(other)]).toEqual([200, ['3', '2']]);
    expect([health.status, limits(health)]).toEqual([200, [null, null]]);
  });

  it('counts by address where no token is asked for, also what is no route, but never health', async () => {
    const api = await startApi({ rateLimit: 2 });
    const statuses = [];
    for (const path of ['/healthz', '/readyz', '/healthz', '/nowhere', PATH, PATH, '/nowhere', '/readyz']) {
      statuses.push((await api.get(path)).status);
    }
    await api.stop();

    expect(statuses).toEqual([200, 200, 200, 404, 200, 429, 429, 200]);
  });

  it('does not hold, and shows nothing, when it is 0', async () => {
    const api = await startApi();
    const answer = await api.get(PATH);
    await api.stop();

    expect(limits(answer)).toEqual([null, null]);
  });
});

describe('who presents wrong tokens', () => {
  it('is slowed by address, and good tokens from the same address are not', async () => {
    const api = await startApi({ tokens: TOKENS });
    const wrong = [];
    for (let i = 0; i < FAILURES_PER_MINUTE + 2; i += 1) {
      wrong.push((await api.get(PATH, UNKNOWN.headers)).status);
    }
    const slowed = await api.get(PATH, UNKNOWN.headers);
    const good = await api.get(PATH, ONE.headers);
    const none = await api.get(PATH);
    await api.stop();

    expect(wrong).toEqual([...Array.from({ length: FAILURES_PER_MINUTE }, () => 401), 429, 429]);
    expect(slowed.body.type).toBe('urn:orchestrator:problem:rate-limited');
    expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(0);
    expect([good.status, none.status]).toEqual([200, 401]);
  });
});
