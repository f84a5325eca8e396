import { connect } from 'node:net';

import { controlKeys } from '@orchestrator/heartbeat';
import Fastify, { type RouteOptions } from 'fastify';

import { AccessControl } from '../access/access-control.js';
import { type ApiBench, type JsonBody, startApi } from '../testing/a-server.js';
import { routesOf } from '../testing/routes-of.js';
import type { HttpDeps } from './deps.js';
import { openDocs } from './openapi.js';
import { requireDeclaredRoutes } from './route-rules.js';
import { createHttpServer } from './server.js';

let api: ApiBench;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const nobodyIsAsked = ({ clock, logger }: HttpDeps): AccessControl =>
  new AccessControl({ tokens: undefined, clock, logger });

describe('the OpenAPI document', () => {
  it('lists every route, and no other', async () => {
    const app = await createHttpServer(api.deps, {
      access: nobodyIsAsked(api.deps),
      allowedHosts: [],
      rateLimit: 0,
      version: '1',
    });
    await app.ready();
    const routes = routesOf(app)
      .filter((route) => !route.startsWith('HEAD ') && !/ \/docs|openapi/.test(route))
      .map((route) => route.replace(/:(\w+)/g, '{$1}'));
    await app.close();

    const { body } = await api.get('/openapi.json');
    const documented = Object.entries(body.paths as Record<string, JsonBody>).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
    );

    expect(body.openapi).toBe('3.1.0');
    expect(documented.length).toBeGreaterThan(12);
    expect(documented.sort()).toEqual(routes.sort());
  });

  it('tells of each route whether it takes a token, and with which role', async () => {
    const { body } = await api.get('/openapi.json');
    const jobs = body.paths['/api/v1/jobs'];

    expect(body.components.securitySchemes.token).toMatchObject({ type: 'http', scheme: 'bearer' });
    expect(jobs.get).toMatchObject({ security: [{ token: [] }], description: expect.stringContaining('role viewer') });
    expect(jobs.post).toMatchObject({ description: expect.stringContaining('role submitter') });
    expect(Object.keys(jobs.post.responses)).toEqual(expect.arrayContaining(['201', '400', '401', '403', '429']));
    expect(body.paths['/healthz'].get.security).toBeUndefined();
  });

  it.each<[string, Omit<RouteOptions, 'handler'>]>([
    ['access', { method: 'GET', url: '/x' }],
    ['access', { method: 'GET', url: '/docs-of-mine' }],
    ['audit', { method: 'POST', url: '/x', config: { access: 'admin' } }],
    ['audit', { method: ['GET', 'POST'], url: '/x', config: { access: 'open' } }],
  ])('cannot have a route that does not say its %s: %j', (missing, route) => {
    const app = Fastify();
    openDocs(app);
    requireDeclaredRoutes(app);

    expect(() => app.route({ ...route, handler: () => '' })).toThrow(`does not say its ${missing}`);
  });

  it('describes what a job may be, and has a page', async () => {
    const { body } = await api.get('/openapi.json');
    const page = await api.get('/docs/');

    const schema = body.paths['/api/v1/jobs'].post.requestBody.content['application/json'].schema;
    expect(schema.required).toEqual(['name']);
    expect(schema.additionalProperties).toBe(false);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  });
});

describe('health', () => {
  it('answers without a token, whatever the base path', async () => {
    expect((await api.get('/healthz')).body).toEqual({ status: 'ok' });
    expect((await api.get('/readyz')).body).toMatchObject({
      status: 'ready',
      ports: { http: Number(new URL(api.url).port) },
    });
  });
});

describe('workers', () => {
  it('are listed by id with what they run, page by page', async () => {
    const session = await api.join('w-b', ['workers'], 3);
    await api.join('w-a', ['workers', 'other']);
    const { body } = await api.post('/api/v1/jobs', { name: 'a', command: 'true', pool: 'workers' });
    await api.claim(session, 'workers');

    const all = await api.get('/api/v1/workers');
    const first = await api.get('/api/v1/workers?limit=1');
    const second = await api.get(`/api/v1/workers?limit=1&cursor=${first.body.nextCursor}`);
    const one = await api.get('/api/v1/workers/w-b');

    expect((all.body.items as { id: string }[]).map((worker) => worker.id)).toEqual(['w-a', 'w-b']);
    expect([first.body.items[0].id, second.body.items[0].id, second.body.nextCursor]).toEqual(['w-a', 'w-b', null]);
    expect(one.body).toMatchObject({
      state: 'alive',
      health: 'ok',
      slots: 3,
      pools: ['workers'],
      running: [body.id],
      connectedTo: 'scheduler-test',
      labels: { zone: 'a' },
    });
    expect((await api.get('/api/v1/workers?cursor=nonsense')).status).toBe(400);
  });

  it('are drained, and dead when they have left', async () => {
    const session = await api.join('w-c', ['workers']);

    const drained = await api.post('/api/v1/workers/w-c/drain');
    await api.registry.declareGone(session, 'left');
    const dead = await api.get('/api/v1/workers/w-c');

    expect([drained.status, drained.body.state]).toEqual([202, 'draining']);
    expect([dead.body.state, dead.body.connectedTo, dead.body.running]).toEqual(['dead', null, []]);
    const again = await api.post('/api/v1/workers/w-c/drain');
    expect([again.status, again.body.detail]).toEqual([404, 'there is no worker "w-c" that is alive']);
  });

  it('are wedged when they beat but take no work, which no job waits for, and suspect when they do not beat either', async () => {
    const session = await api.join('w-d', ['wedged']);
    const { epoch = 0 } = (await api.registry.get(session)) ?? {};
    const renewal = { session, epoch, freeSlots: 2, load: 0, memoryUsedBytes: 0, memoryTotalBytes: 0 };
    await api.registry.renew([{ ...renewal, wedged: true }]);

    const wedged = await api.get('/api/v1/workers/w-d');
    const job = await api.post('/api/v1/jobs', { name: 'a', command: 'true', pool: 'wedged' });
    await api.redis.client().hset(controlKeys().session(session), 'renewed', 1);
    const suspect = await api.get('/api/v1/workers/w-d');

    expect(wedged.body).toMatchObject({ state: 'alive', health: 'wedged' });
    expect(job.body.waiting).toMatchObject({ reason: 'no_workers' });
    expect(suspect.body).toMatchObject({ state: 'alive', health: 'suspect' });
  });

  it('are not found when nobody has heard of them', async () => {
    for (const id of ['nobody', '..%2fx', '%00', 'x'.repeat(300)]) {
      expect((await api.get(`/api/v1/workers/${id}`)).status).toBe(404);
      expect((await api.post(`/api/v1/workers/${id}/drain`)).status).toBe(404);
    }
  });
});

describe('closing', () => {
  it('answers what waits, ends what is followed, and does not wait for idle connections', async () => {
    const own = await startApi();
    const { body } = await own.post('/api/v1/jobs', { name: 'a', command: 'true' });
    const polled = own.get(`/api/v1/jobs/${body.id}?wait=60`);
    const followed = fetch(`${own.url}/api/v1/jobs/${body.id}/logs?follow=true`).then((response) => response.text());
    const idle = connect(Number(new URL(own.url).port), '127.0.0.1');
    // On a busy machine it is not accepted yet when the server closes: the kernel resets it then.
    idle.on('error', () => undefined);
    await new Promise((resolve) => idle.once('connect', resolve));
    while (own.polls.waiters === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }

    const began = performance.now();
    await own.stop();

    expect(performance.now() - began).toBeLessThan(2_000);
    expect(await polled).toMatchObject({ status: 200, body: { state: 'queued' } });
    await followed;
    idle.destroy();
  });
});
