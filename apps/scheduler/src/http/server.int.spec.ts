import { connect } from 'node:net';

import { controlKeys } from '@orchestrator/heartbeat';

import { type ApiBench, type JsonBody, startApi } from '../testing/a-server.js';
import { createHttpServer } from './server.js';

let api: ApiBench;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

describe('the OpenAPI document', () => {
  it('lists every route, and no other', async () => {
    const routes: string[] = [];
    const app = await createHttpServer({ ...api.deps, logger: api.deps.logger }, { allowedHosts: [], version: '1' });
    await app.ready();
    const printed = app.printRoutes({ commonPrefix: false, includeHooks: false });
    // A tree: each line has the part of the path that it adds to the line above it that is less indented.
    const above: string[] = [];
    for (const line of printed.split('\n')) {
      const [, indent = '', part = '', methods = ''] = /^(.*?── )(\S+)(?: \(([A-Z, ]+)\))?/.exec(line) ?? [];
      const depth = indent.length / 4 - 1;
      above[depth] = part;
      const path = above
        .slice(0, depth + 1)
        .join('')
        .replace(/:(\w+)/g, '{$1}');
      if (!path.startsWith('/docs') && path !== '/openapi.json') {
        const own = methods.split(', ').filter((method) => !['', 'HEAD'].includes(method));
        routes.push(...own.map((method) => `${method} ${path}`));
      }
    }
    await app.close();

    const { body } = await api.get('/openapi.json');
    const documented = Object.entries(body.paths as Record<string, JsonBody>).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
    );

    expect(body.openapi).toBe('3.1.0');
    expect(documented.length).toBeGreaterThan(12);
    expect(documented.sort()).toEqual(routes.sort());
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
