import { request as httpRequest } from 'node:http';

import { AccessControl } from '../access/access-control.js';
import { type Access, mayCall, type Role, ROLES } from '../access/role.js';
import { type ApiBench, startApi } from '../testing/a-server.js';
import { routesOf } from '../testing/routes-of.js';
import { tableOf, testToken } from '../testing/tokens.js';
import { createHttpServer } from './server.js';

const TOKENS = {
  viewer: testToken('reads', 'viewer'),
  submitter: testToken('submits', 'submitter'),
  admin: testToken('rules', 'admin'),
};
const EXPIRED = testToken('was-admin', 'admin', '2020-01-01');
const UNKNOWN = testToken('nowhere', 'admin');
const GOOD = TOKENS.admin.token;

/** What the header Authorization says of nobody. */
const REFUSED: Record<string, string | string[] | undefined> = {
  'no token': undefined,
  'an empty one': '',
  'no scheme': GOOD,
  'another scheme': `Basic ${Buffer.from(`admin:${GOOD}`).toString('base64')}`,
  'the scheme alone': 'Bearer',
  'the scheme and a space': 'Bearer ',
  'two tokens': `Bearer ${GOOD} ${GOOD}`,
  'two tokens with a comma': `Bearer ${GOOD},${GOOD}`,
  'two headers': [`Bearer ${GOOD}`, `Bearer ${GOOD}`],
  'something behind it': `Bearer ${GOOD}\t`.concat('x'),
  'a name instead of a token': 'Bearer rules',
  'a hash instead of a token': `Bearer ${TOKENS.admin.entry.digest}`,
  'another case': `Bearer ${GOOD.toUpperCase()}`,
  'one character less': `Bearer ${GOOD.slice(0, -1)}`,
  '8 kB': `Bearer ${GOOD}${'x'.repeat(8_000)}`,
  'bytes that are no text': 'Bearer \xff\xfe\x80',
  'a wrong one': UNKNOWN.headers.authorization,
  'an expired one': EXPIRED.headers.authorization,
};

interface Ids {
  job: string;
  batch: string;
}

interface Row {
  access: Access;
  /** With good parameters. */
  path(ids: Ids): string;
  body?: unknown;
  /** What who may call it is answered. */
  status: number;
}

const JOB = { name: 'a', command: 'true' };
const at = (path: string) => (): string => path;

/** Each route has a row: a new one without one fails, below. Routes with HEAD are those with GET. */
const TABLE: Record<string, Row> = {
  'GET /healthz': { access: 'open', path: at('/healthz'), status: 200 },
  'GET /readyz': { access: 'open', path: at('/readyz'), status: 200 },
  'GET /openapi.json': { access: 'open', path: at('/openapi.json'), status: 200 },
  'GET /docs': { access: 'open', path: at('/docs'), status: 200 },
  'GET /docs/': { access: 'open', path: at('/docs/'), status: 200 },
  'GET /docs/json': { access: 'open', path: at('/docs/json'), status: 200 },
  'GET /docs/yaml': { access: 'open', path: at('/docs/yaml'), status: 200 },
  // Fastify prints it so; it is /docs/static/*.
  'GET /docs/*': { access: 'open', path: at('/docs/static/index.css'), status: 200 },
  'GET /docs/static/index.html': { access: 'open', path: at('/docs/static/index.html'), status: 302 },
  'GET /docs/static/swagger-initializer.js': {
    access: 'open',
    path: at('/docs/static/swagger-initializer.js'),
    status: 200,
  },
  'GET /metrics': { access: 'viewer', path: at('/metrics'), status: 200 },
  'GET /api/v1/jobs': { access: 'viewer', path: at('/api/v1/jobs'), status: 200 },
  'POST /api/v1/jobs': { access: 'submitter', path: at('/api/v1/jobs'), body: JOB, status: 201 },
  'POST /api/v1/jobs/batch': {
    access: 'submitter',
    path: at('/api/v1/jobs/batch'),
    body: { jobs: [JOB, JOB] },
    status: 201,
  },
  'GET /api/v1/jobs/:id': { access: 'viewer', path: ({ job }) => `/api/v1/jobs/${job}`, status: 200 },
  'GET /api/v1/jobs/:id/logs': { access: 'viewer', path: ({ job }) => `/api/v1/jobs/${job}/logs`, status: 200 },
  'POST /api/v1/jobs/:id/cancel': {
    access: 'submitter',
    path: ({ job }) => `/api/v1/jobs/${job}/cancel`,
    status: 202,
  },
  'POST /api/v1/jobs/:id/retry': { access: 'admin', path: ({ job }) => `/api/v1/jobs/${job}/retry`, status: 409 },
  'DELETE /api/v1/jobs/:id': { access: 'admin', path: ({ job }) => `/api/v1/jobs/${job}`, status: 409 },
  'GET /api/v1/batches/:id': { access: 'viewer', path: ({ batch }) => `/api/v1/batches/${batch}`, status: 200 },
  'GET /api/v1/workers': { access: 'viewer', path: at('/api/v1/workers'), status: 200 },
  'GET /api/v1/workers/:id': { access: 'viewer', path: at('/api/v1/workers/w-1'), status: 200 },
  'POST /api/v1/workers/:id/drain': { access: 'admin', path: at('/api/v1/workers/w-1/drain'), status: 202 },
};

let api: ApiBench;
let ids: Ids;
beforeAll(async () => {
  api = await startApi({
    tokens: tableOf(TOKENS.viewer, TOKENS.submitter, TOKENS.admin, EXPIRED),
    failuresPerMinute: 1_000_000,
  });
  await api.join('w-1', ['other']);
  const { body } = await api.post('/api/v1/jobs/batch', { jobs: [JOB] }, TOKENS.admin.headers);
  ids = { job: '', batch: body.batchId };
});
beforeEach(async () => {
  ids.job = (await api.post('/api/v1/jobs', JOB, TOKENS.submitter.headers)).body.id;
});
afterAll(() => api.stop());

interface Sent {
  method?: string;
  authorization?: string | string[] | undefined;
  headers?: Record<string, string>;
  body?: unknown;
}

/** As it is written: fetch would mend the address, and refuses some headers and methods. */
function raw(path: string, { method = 'GET', authorization, headers = {}, body }: Sent = {}): Promise<RawAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const lines = Object.entries({ host: new URL(api.url).host, ...headers }).flat();
    lines.push(...[authorization ?? []].flat().flatMap((value) => ['authorization', value]));
    lines.push(...(text === undefined ? [] : ['content-type', 'application/json', 'content-length', `${text.length}`]));
    const { port } = new URL(api.url);
    httpRequest({ host: '127.0.0.1', port, path, method, headers: lines }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString();
        const isProblem = response.headers['content-type']?.includes('problem+json') === true && answer !== '';
        const type = isProblem ? (JSON.parse(answer) as { type: string }).type.replace(/.*:/, '') : undefined;
        resolve({ status: response.statusCode ?? 0, type, asks: response.headers['www-authenticate'] });
      });
    })
      .on('error', reject)
      .end(text);
  });
}

interface RawAnswer {
  status: number;
  /** Of a problem, the end of its URN. */
  type: string | undefined;
  asks: string | undefined;
}

const UNAUTHORIZED = { status: 401, type: 'unauthorized', asks: 'Bearer' };

it('has a row for each route, and no other', async () => {
  const { clock, logger } = api.deps;
  const access = new AccessControl({ tokens: undefined, clock, logger });
  const app = await createHttpServer(api.deps, { access, allowedHosts: [], rateLimit: 0, version: '1' });
  await app.ready();
  const routes = routesOf(app);
  await app.close();

  expect(routes.filter((route) => !route.startsWith('HEAD ')).sort()).toEqual(Object.keys(TABLE).sort());
  const withHead = routes.filter((route) => route.startsWith('HEAD ')).map((route) => route.replace('HEAD', 'GET'));
  expect(Object.keys(TABLE)).toEqual(expect.arrayContaining(withHead));
});

describe.each(Object.entries(TABLE))('%s', (route, { access, path, body, status }) => {
  const [method = ''] = route.split(' ');
  const methods = method === 'GET' ? ['GET', 'HEAD'] : [method];

  it.each(Object.keys(REFUSED))(`${access === 'open' ? 'is open to' : 'refuses'} %s`, async (what) => {
    for (const each of methods) {
      const answer = await raw(path(ids), { method: each, authorization: REFUSED[what], body });

      const expected = { ...UNAUTHORIZED, type: each === 'HEAD' ? undefined : 'unauthorized' };
      expect(answer).toMatchObject(access === 'open' ? { status, asks: undefined } : expected);
    }
  });

  it.each([...ROLES])('lets only those in who may: %s', async (role: Role) => {
    for (const each of methods) {
      const answer = await raw(path(ids), { method: each, ...TOKENS[role].headers, body });

      const type = each === 'HEAD' ? undefined : 'forbidden';
      expect(answer).toMatchObject(mayCall(role, access) ? { status } : { status: 403, type });
    }
  });
});

describe('what is no route', () => {
  it.each(['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    'looks to who has no token like every route: %s',
    async (method) => {
      for (const path of ['/', '/api/v1/nowhere', '/api/v1/jobs/batch', '/api/v1/pools', '/x'.repeat(400)]) {
        expect(await raw(path, { method })).toEqual(UNAUTHORIZED);
        expect(await raw(path, { method, ...UNKNOWN.headers })).toEqual(UNAUTHORIZED);
      }
    },
  );

  it('is told to who has one', async () => {
    expect(await raw('/api/v1/nowhere', TOKENS.viewer.headers)).toMatchObject({ status: 404, type: 'not-found' });
    expect(await raw('/api/v1/jobs', { method: 'PUT', ...TOKENS.viewer.headers })).toMatchObject({ status: 405 });
    expect(await raw('/api/v1/jobs', { method: 'OPTIONS', ...TOKENS.viewer.headers })).toMatchObject({ status: 405 });
    expect(await raw('/healthz', { method: 'POST', ...TOKENS.viewer.headers })).toMatchObject({ status: 405 });
  });
});

describe('ways around', () => {
  const drained = async (): Promise<boolean> => {
    const { body } = await api.get('/api/v1/workers/w-2', TOKENS.viewer.headers);
    return body.state !== 'alive';
  };
  beforeAll(() => api.join('w-2', ['other']));

  it.each([
    '/api/v1/workers/w-2/drain/',
    '/api/v1/workers/w-2/drain?',
    '/api/v1/workers/w-2/drain#x',
    '/api/v1/workers/w-2/drain;x',
    '/API/v1/workers/w-2/drain',
    '/api/v1/workers/w-2/DRAIN',
    '//api/v1/workers/w-2/drain',
    '/api//v1/workers/w-2/drain',
    '/api/v1/workers/w-2//drain',
    '/api/v1/workers/w-2%2fdrain',
    '/api/v1/workers/w-2/%64rain',
    '/%61pi/v1/workers/w-2/drain',
    '/./api/v1/workers/w-2/drain',
    '/healthz/../api/v1/workers/w-2/drain',
    '/docs/%2e%2e/api/v1/workers/w-2/drain',
    '/docs/static/..%2f..%2fapi/v1/workers/w-2/drain',
    '/api/v1/%2e/workers/w-2/drain',
    '/api/v1/workers/w-2/drain?access_token=TOKEN',
    '/api/v1/workers/w-2/drain?token=TOKEN',
  ])('lead nowhere: POST %s', async (path) => {
    const asked = path.replace('TOKEN', GOOD);

    const nobody = await raw(asked, { method: 'POST' });
    const viewer = await raw(asked, { method: 'POST', ...TOKENS.viewer.headers });

    expect(nobody).toEqual(UNAUTHORIZED);
    expect([400, 403, 404, 405]).toContain(viewer.status);
    expect(await drained()).toBe(false);
  });

  it('lead nowhere: an address that names a host itself', async () => {
    for (const headers of [{}, TOKENS.viewer.headers, TOKENS.admin.headers]) {
      const answer = await raw('http://localhost/api/v1/workers/w-2/drain', { method: 'POST', ...headers });

      expect(answer.status).toBe(400);
    }
    expect(await drained()).toBe(false);
  });

  it.each(['x-http-method-override', 'x-http-method', 'x-method-override'])('lead nowhere: %s', async (header) => {
    const path = `/api/v1/jobs/${ids.job}`;
    await api.post(`${path}/cancel`, undefined, TOKENS.admin.headers);

    for (const method of ['GET', 'POST']) {
      const answer = await raw(path, { method, headers: { [header]: 'DELETE' }, ...TOKENS.submitter.headers });
      expect(answer.status).toBe(method === 'GET' ? 200 : 405);
    }
    expect((await api.get(path, TOKENS.viewer.headers)).body.state).toBe('cancelled');
  });

  it('lead nowhere: a token in another place', async () => {
    const elsewhere = { 'x-api-key': GOOD, cookie: `token=${GOOD}`, 'proxy-authorization': `Bearer ${GOOD}` };

    expect(await raw('/api/v1/jobs', { headers: elsewhere })).toEqual(UNAUTHORIZED);
    expect((await raw('/api/v1/jobs', { authorization: `bearer  ${GOOD}` })).status).toBe(200);
  });

  it('lead nowhere: headers of 64 kB', async () => {
    expect((await raw('/api/v1/jobs', { authorization: `Bearer ${'x'.repeat(65_536)}` })).status).toBe(431);
  });
});

it('refuses before it reads: a body that never comes is not waited for', async () => {
  for (const [status, authorization] of [
    [401, ''],
    [403, TOKENS.viewer.headers.authorization],
  ] as const) {
    const answered = await new Promise<number>((resolve, reject) => {
      const headers = { authorization, 'content-type': 'application/json', 'content-length': '1000000' };
      const sent = httpRequest(`${api.url}/api/v1/jobs`, { method: 'POST', headers }, (response) => {
        resolve(response.statusCode ?? 0);
        sent.destroy();
      });
      sent.on('error', reject).flushHeaders();
    });
    expect(answered).toBe(status);
  }
});
