import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';

import { type ApiBench, startApi } from '../testing/a-server.js';

const JOB = { name: 'a', command: 'true' };
const PATH = '/api/v1/jobs';

let api: ApiBench;
beforeAll(async () => {
  api = await startApi({ allowedHosts: ['jobs.example.com', 'other.example.com:81'] });
});
afterAll(async () => {
  // Whatever was refused left nothing behind.
  expect(await api.store.pools()).toEqual([]);
  await api.stop();
});

/** With headers that fetch does not let through. */
function raw(path: string, headers: Record<string, string>, method = 'GET'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(api.url);
    httpRequest({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    })
      .on('error', reject)
      .end();
  });
}

describe('a request that is not acceptable', () => {
  it.each<[string, unknown, string]>([
    ['no name', { command: 'true' }, 'name'],
    ['an empty name', { ...JOB, name: '' }, 'name'],
    ['a name with a line end', { ...JOB, name: 'a\r\nb' }, 'name'],
    ['a name that turns the direction', { ...JOB, name: 'a\u202eb' }, 'name'],
    ['a long name', { ...JOB, name: 'x'.repeat(201) }, 'name'],
    ['nothing to run', { name: 'a' }, 'command'],
    ['two things to run', { ...JOB, argv: ['true'] }, 'argv'],
    ['data without a handler', { ...JOB, data: 1 }, 'data'],
    ['env with a handler', { name: 'a', handler: 'f', env: { A: '1' } }, 'env'],
    ['an empty argv', { name: 'a', argv: [] }, 'argv'],
    ['a number in argv', { name: 'a', argv: ['echo', 1] }, 'argv[1]'],
    ['a priority as text', { ...JOB, priority: '5' }, 'priority'],
    ['a fraction as priority', { ...JOB, priority: 1.5 }, 'priority'],
    ['a priority out of range', { ...JOB, priority: 1_001 }, 'priority'],
    ['a number as command', { name: 'a', command: 5 }, 'command'],
    ['null as command', { name: 'a', command: null }, 'command'],
    ['a negative timeout', { ...JOB, timeout: -1 }, 'timeout'],
    ['a timeout without unit', { ...JOB, timeout: '30' }, 'timeout'],
    ['a huge timeout', { ...JOB, timeout: 1e300 }, 'timeout'],
    ['a huge timeout as text', { ...JOB, timeout: '999999d' }, 'timeout'],
    ['true as attempts', { ...JOB, attempts: true }, 'attempts'],
    ['no attempts', { ...JOB, attempts: 0 }, 'attempts'],
    ['another way to lose the lease', { ...JOB, onLeaseLost: 'finish' }, 'onLeaseLost'],
    ['null for it', { ...JOB, onLeaseLost: null }, 'onLeaseLost'],
    ['no time to stay frozen', { ...JOB, freezeLimit: 0 }, 'freezeLimit'],
    ['a freeze limit without unit', { ...JOB, freezeLimit: '10' }, 'freezeLimit'],
    ['an unknown field', { ...JOB, nonsense: 1 }, 'nonsense'],
    ['an unknown field inside', { ...JOB, backoff: { nonsense: 1 } }, 'backoff.nonsense'],
    ['an unknown kind of backoff', { ...JOB, backoff: { type: 'slow' } }, 'backoff.type'],
    ['a pool that is no name', { ...JOB, pool: 'a:{b}' }, 'pool'],
    ['a pool for another key', { ...JOB, pool: '../x' }, 'pool'],
    ['a variable that is no name', { ...JOB, env: { 'A B': '1' } }, 'env.A B'],
    ['a variable that is no text', { ...JOB, env: { A: 1 } }, 'env.A'],
    ['NUL in a command', { name: 'a', command: 'a\0b' }, 'command'],
    ['NUL in argv', { name: 'a', argv: ['a', '\0'] }, 'argv[1]'],
    ['NUL in env', { ...JOB, env: { A: '\0' } }, 'env.A'],
    ['NUL in cwd', { ...JOB, cwd: '\0' }, 'cwd'],
    ['too large a command', { name: 'a', command: 'x'.repeat(128 * 1024) }, 'command'],
    ['too large an argument', { name: 'a', argv: ['x', 'ü'.repeat(64 * 1024)] }, 'argv[1]'],
    ['too large a variable', { ...JOB, env: { A: 'x'.repeat(128 * 1024 - 2) } }, 'env.A'],
    ['both delay and runAt', { ...JOB, delay: 1, runAt: '2030-01-01T00:00:00Z' }, 'runAt'],
    ['a time that is none', { ...JOB, runAt: 'tomorrow' }, 'runAt'],
    [
      '33 labels',
      { ...JOB, labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, ''])) },
      'labels',
    ],
    ['an exit code that is none', { ...JOB, noRetryExitCodes: [256] }, 'noRetryExitCodes[0]'],
    ['a state', { ...JOB, state: 'succeeded' }, 'state'],
    ['a fence', { ...JOB, fence: 9 }, 'fence'],
    ['a list', [JOB], ''],
    ['null', 'null', ''],
    ['a text', '"x"', ''],
    ['nothing', '', ''],
    ['half a JSON', '{"name":', ''],
    ['two of them', '{}{}', ''],
    ['a name of a prototype', '{"name":"a","command":"true","__proto__":{"x":1}}', '__proto__'],
    ['one inside data', '{"name":"a","handler":"f","data":{"a":[{"__proto__":1}]}}', 'data.a[0].__proto__'],
    ['one in env', '{"name":"a","command":"true","env":{"__proto__":"1"}}', 'env.__proto__'],
    ['half a surrogate pair', '{"name":"a","command":"\\ud800"}', 'command'],
    ['a number beyond a double', '{"name":"a","handler":"f","data":1e400}', 'data'],
    ['20,000 levels', `{"name":"a","handler":"f","data":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, ''],
  ])('is refused with the path: %s', async (_what, body, path) => {
    const answer = await api.post(PATH, body);

    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({
      type: 'urn:orchestrator:problem:invalid-request',
      status: 400,
      errors: [{ path }],
    });
    expect(answer.text).not.toMatch(/ at \/|node_modules|\.js:\d/);
    expect(answer.text.length).toBeLessThan(2_000);
  });

  it.each(['concurrency', 'deduplication', 'dependsOn', 'array', 'rateLimit', 'fairness', 'requires', 'expiresAfter'])(
    'names a field whose feature comes later: %s',
    async (field) => {
      const answer = await api.post(PATH, { ...JOB, [field]: 1 });

      expect(answer.status).toBe(400);
      expect(answer.body.errors).toEqual([{ path: field, message: expect.stringContaining('later version') }]);
    },
  );

  it('is refused for bytes that are no UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"name":"a'), Buffer.from([0xff]), Buffer.from('","command":"true"}')]);

    const answer = await api.send(PATH, { method: 'POST', body, headers: { 'content-type': 'application/json' } });

    expect([answer.status, answer.body.detail]).toEqual([400, 'the body is not valid UTF-8']);
  });

  it('is refused when it would be kept as more than the limit: its numbers are written out', async () => {
    const numbers = Array.from({ length: 200_000 }, () => '1e20').join();

    const answer = await api.post(PATH, `{"name":"a","handler":"f","data":[${numbers}]}`);

    expect([answer.status, answer.body.detail]).toEqual([400, 'the job is larger than 1 MiB']);
  });

  it('is refused beyond the limits of size', async () => {
    const one = await api.post(PATH, { name: 'a', handler: 'f', data: 'x'.repeat(1024 * 1024) });
    const many = await api.post(`${PATH}/batch`, {
      jobs: [{ name: 'a', handler: 'f', data: 'x'.repeat(16 * 1024 * 1024) }],
    });
    const big = await api.post(`${PATH}/batch`, {
      jobs: [JOB, { name: 'a', handler: 'f', data: 'x'.repeat(1024 * 1024) }],
    });
    const keys = await api.post(`${PATH}/batch`, `{"jobs":[],"x":{${'"a":1,'.repeat(600_000)}"b":1}}`);

    expect([one.status, one.body.type]).toEqual([413, 'urn:orchestrator:problem:body-too-large']);
    expect([many.status, many.body.type]).toEqual([413, 'urn:orchestrator:problem:body-too-large']);
    expect([big.status, big.body.errors[0].path]).toEqual([400, 'jobs[1]']);
    expect(keys.status).toBe(400);
  });

  it('is refused under another media type', async () => {
    const answer = await api.post(PATH, JSON.stringify(JOB), { 'content-type': 'text/plain' });

    const packed = await api.post(PATH, JOB, { 'content-encoding': 'gzip' });

    expect([answer.status, answer.body.type]).toEqual([415, 'urn:orchestrator:problem:unsupported-media-type']);
    expect([packed.status, packed.body.type]).toEqual([415, 'urn:orchestrator:problem:unsupported-media-type']);
  });

  it.each([
    ['POST', PATH],
    ['POST', `${PATH}/default:01M855FFMAXPEBV5E5GCY7P730/cancel`],
    ['DELETE', `${PATH}/default:01M855FFMAXPEBV5E5GCY7P730`],
    ['GET', '/api/v1/workers/worker-1'],
  ])('is refused with a parameter that nobody reads: %s %s', async (method, path) => {
    const body = path === PATH ? { body: JSON.stringify(JOB) } : {};

    const answer = await api.send(`${path}?force=1`, {
      method,
      ...body,
      headers: { 'content-type': 'application/json' },
    });

    expect(answer.status).toBe(400);
    expect(answer.body.errors).toEqual([{ path: 'force', message: 'is not a known parameter' }]);
  });

  it('is told which names a map may have', async () => {
    const env = await api.post(PATH, { ...JOB, env: { 'A B': '1' } });
    const labels = await api.post(PATH, { ...JOB, labels: { 'a:b': '1' } });

    expect(env.body.detail).toMatch(/^env\.A B: is not a name that is allowed: expected variables by name/);
    expect(labels.body.detail).toMatch(/^labels\.a:b: is not a name that is allowed: expected at most 32 labels/);
  });

  it('is told from a wrong path and a wrong method', async () => {
    const nowhere = await api.get('/api/v1/nowhere');
    const method = await api.send('/api/v1/jobs', { method: 'PUT' });
    const slash = await api.get('/api/v1/jobs/');
    const later = await api.get('/api/v1/pools');

    expect([nowhere.status, nowhere.body.type]).toEqual([404, 'urn:orchestrator:problem:not-found']);
    expect([method.status, method.body.type]).toEqual([405, 'urn:orchestrator:problem:method-not-allowed']);
    expect(method.headers.get('allow')).toBe('GET, HEAD, POST');
    expect(slash.status).toBe(404);
    expect([later.status, later.body.detail]).toEqual([404, expect.stringContaining('comes with a later version')]);
    const bulk = await api.post('/api/v1/jobs/retry', { state: 'failed' });
    expect([bulk.status, bulk.body.detail]).toEqual([404, expect.stringContaining('comes with a later version')]);
  });

  it('is answered as a problem even when its address is malformed or it is no HTTP', async () => {
    const address = await raw('/api/v1/jobs/%zz', {});
    const { port } = new URL(api.url);
    const garbage = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write('nonsense\r\n\r\n'));
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('close', () => resolve(text));
    });
    const long = await raw('/healthz', { 'x-long': 'x'.repeat(20_000) });

    expect([address.status, JSON.parse(address.body).type]).toEqual([400, 'urn:orchestrator:problem:invalid-request']);
    expect(garbage).toMatch(/^HTTP\/1\.1 400 /);
    expect(garbage).toContain('application/problem+json');
    expect(long.status).toBe(431);
  });
});

describe('a web page of another site', () => {
  it.each([
    ['Origin', { origin: 'http://evil.example' }],
    ['Origin null', { origin: 'null' }],
    ['Origin of another port', { origin: 'http://127.0.0.1:1' }],
    ['Sec-Fetch-Site', { 'sec-fetch-site': 'cross-site' }],
    ['Sec-Fetch-Site of the same site', { 'sec-fetch-site': 'same-site' }],
  ])('can do nothing: %s', async (_name, headers) => {
    const posted = await raw(PATH, { ...headers, 'content-length': '0' }, 'POST');
    const read = await raw(PATH, headers);

    expect([posted.status, JSON.parse(posted.body).type]).toEqual([403, 'urn:orchestrator:problem:cross-site-request']);
    expect(read.status).toBe(403);
  });

  it.each([
    'evil.example',
    'evil.example:8080',
    '10.0.0.1',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'other.example.com',
  ])('cannot give its own name to this server: %s', async (host) => {
    const answer = await raw(PATH, { host });

    expect([answer.status, JSON.parse(answer.body).type]).toEqual([403, 'urn:orchestrator:problem:host-not-allowed']);
  });

  it.each([
    'localhost',
    'LOCALHOST:8080',
    '127.0.0.1:1',
    '127.9.9.9',
    '[::1]:8080',
    'jobs.example.com',
    'jobs.example.com:80',
    'other.example.com:81',
  ])('is not who calls by an own name: %s', async (host) => {
    expect((await raw('/healthz', { host })).status).toBe(200);
    expect(
      (await raw('/healthz', { host, origin: `http://${host.toLowerCase()}`, 'sec-fetch-site': 'same-origin' })).status,
    ).toBe(host === 'jobs.example.com:80' ? 403 : 200);
  });

  it('may only be a link to the documentation', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

    expect((await raw('/docs/', headers)).status).toBe(200);
    expect((await raw(PATH, headers)).status).toBe(403);
    expect((await raw('/%61pi/v1/jobs', headers)).status).toBe(403);
  });
});
