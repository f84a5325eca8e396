import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '@orchestrator/testing';
import type { Redis } from 'ioredis';

import { Api } from './harness/api.js';
import type { Cluster } from './harness/cluster.js';
import { ROOT } from './harness/program.js';
import { waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

const DOCUMENT = readFileSync(join(ROOT, 'docs', 'deploy.md'), 'utf8');
const FINAL_WITHIN_MS = 20_000;
const PASSWORD = 'p4ssw0rd-of-a-test';

/** What connections say by themselves, of ioredis, and what is not named where it is called. */
const OF_CONNECTIONS = ['ping', 'client|setname', 'eval', 'evalsha', 'multi', 'exec', 'subscribe'];

/** How settings of the server are looked at, where that is allowed. */
const OPTIONAL = ['command', 'config'];

/** The words of `ACL SETUSER`, as they stand in the document. */
function aclRule(): string[] {
  const [, block = ''] = /<!-- acl:begin -->\s+```\n([^]*?)```\s+<!-- acl:end -->/.exec(DOCUMENT) ?? [];
  return block.trim().split(/\s+/).slice(2);
}

function allowedCommands(): string[] {
  return aclRule()
    .filter((word) => word.startsWith('+'))
    .map((word) => word.slice(1));
}

/** The text of everything that speaks to Redis, by whether it is Lua. */
function sources(): { lua: string; typescript: string } {
  const folders = ['libs/queue', 'libs/heartbeat', 'libs/lock', 'libs/redis', 'libs/dispatch', 'apps/scheduler'];
  const files = folders.flatMap((folder) =>
    (readdirSync(join(ROOT, folder, 'src'), { recursive: true }) as string[])
      .filter((file) => /\.(lua|ts)$/.test(file) && !/testing|\.spec\.ts$|(^|\/)lua\.ts$/.test(file))
      .map((file) => readFileSync(join(ROOT, folder, 'src', file), 'utf8')),
  );
  const isLua = (text: string): boolean => text.includes("redis.call('") || text.startsWith('--');
  return { lua: files.filter(isLua).join('\n'), typescript: files.join('\n') };
}

/** Every kind of call that users and workers make. */
async function everything(cluster: Cluster): Promise<void> {
  const { api } = cluster;
  const post = (path: string, body?: unknown, headers = {}): Promise<{ status: number; text: string }> =>
    api.request('POST', path, body, { headers });
  const key = { 'idempotency-key': 'once' };
  const job = { name: 'acl', command: 'echo "$ORCHESTRATOR_JOB_ID"' };
  const statuses = [await post('/api/v1/jobs', job, key), await post('/api/v1/jobs', job, key)].map(
    (each) => each.status,
  );
  expect(statuses).toEqual([201, 201]);

  const { id } = await api.submit({ command: 'echo out; echo err >&2', priority: 5 });
  await api.finalJob(id, FINAL_WITHIN_MS);
  expect(await api.logs(id)).toContain('out');
  const failing = await api.submit({ command: 'exit 3', attempts: 2, backoff: { type: 'fixed', delay: 0.1 } });
  expect(await api.finalJob(failing.id, FINAL_WITHIN_MS)).toMatchObject({ state: 'failed' });
  expect((await post(`/api/v1/jobs/${failing.id}/retry`)).status).toBeLessThan(300);
  await api.finalJob(failing.id, FINAL_WITHIN_MS);
  expect((await api.request('DELETE', `/api/v1/jobs/${failing.id}`)).status).toBeLessThan(300);

  const delayed = await api.submit({ command: 'true', delay: 3_600 });
  expect((await api.cancel(delayed.id)).status).toBeLessThan(300);
  const running = await api.submit({ command: 'sleep 60' });
  await api.jobWhen(running.id, 'running', ({ state }) => state === 'running', FINAL_WITHIN_MS);
  expect((await api.cancel(running.id)).status).toBeLessThan(300);
  expect(await api.finalJob(running.id, FINAL_WITHIN_MS)).toMatchObject({ state: 'cancelled' });

  const { batchId } = await api.submitBatch(Array.from({ length: 20 }, (_, n) => ({ name: `b${n}`, command: 'true' })));
  await waitUntil('the batch is done', async () => (await api.batch(batchId)).done, { withinMs: FINAL_WITHIN_MS });
  const waited = await api.submit({ command: 'sleep 0.3' });
  expect((await api.request('GET', `/api/v1/jobs/${waited.id}?wait=20`)).text).toContain('succeeded');
  expect((await api.jobs()).length).toBeGreaterThan(20);
  for (const query of ['?state=succeeded', '?pool=default', '?name=acl', '?state=queued', `?batch=${batchId}`]) {
    expect((await api.request('GET', `/api/v1/jobs${query}`)).status).toBeLessThan(500);
  }
  await loseWorker(cluster);
  expect((await post('/api/v1/workers/worker-2/drain')).status).toBeLessThan(300);
}

async function loseWorker(cluster: Cluster): Promise<void> {
  const { api } = cluster;
  const lost = await api.submit({ command: 'sleep 2' });
  await api.jobWhen(lost.id, 'running', ({ state }) => state === 'running', FINAL_WITHIN_MS);
  await cluster.workerNamed('worker-1').kill();
  await cluster.startWorker('worker-2');
  expect(await api.finalJob(lost.id, FINAL_WITHIN_MS)).toMatchObject({ state: 'succeeded', workerLosses: 1 });
}

describe('docs/deploy.md', () => {
  it('names in its ACL rule every command that is used, and no other', () => {
    const { lua, typescript } = sources();
    const allowed = new Set(allowedCommands());
    const inLua = [
      ...new Set([...lua.matchAll(/\b(?:redis\.)?p?call\('([A-Z]+)'/g)].map(([, name = '']) => name.toLowerCase())),
    ];
    const isUsed = (command: string): boolean =>
      OF_CONNECTIONS.includes(command) ||
      inLua.includes(command) ||
      new RegExp(`\\.${command}\\(|'${command.toUpperCase()}'`).test(typescript);

    expect(inLua.length).toBeGreaterThan(30);
    expect(inLua.filter((command) => !allowed.has(command) && !OPTIONAL.includes(command))).toEqual([]);
    expect([...allowed].filter((command) => !isUsed(command))).toEqual([]);
  });

  it('has an ACL rule under which everything works, with nothing refused', () =>
    withCluster({}, async (cluster) => {
      const redis = cluster.redis.client();
      await cluster.scheduler.kill();
      await redis.flushall();
      await redis.call('ACL', 'SETUSER', ...aclRule().map((word) => word.replace('PASSWORD', PASSWORD)));
      const url = cluster.redis.url.replace('redis://', `redis://orchestrator:${PASSWORD}@`);
      const start = async (name: string, ...args: string[]): Promise<void> => {
        const program = cluster.launch(name, 'apps/scheduler/dist/main.js', [`--redis-url=${url}`, ...args]);
        await waitUntil(`${name} runs`, () => program.output.includes('the scheduler runs'), {
          withinMs: FINAL_WITHIN_MS,
        });
      };
      await start('scheduler', `--http-port=${cluster.httpPort}`, `--grpc-port=${cluster.grpcPort}`);
      const port = await freePort();
      await start('careful', `--http-port=${port}`, '--grpc-port=0', '--durability=replica:1');
      await cluster.startWorker('worker-1');

      await everything(cluster);
      const body = { name: 'acl', command: 'true' };
      const unsure = await new Api(`http://127.0.0.1:${port}`).request('POST', '/api/v1/jobs', body);

      // There is no replica: that is all that WAIT says.
      expect([unsure.status, unsure.text]).toEqual([503, expect.stringContaining('durability-unknown')]);

      expect(await refused(redis)).toEqual(['config']);
      expect(cluster.describe()).not.toContain('NOPERM');
    }));

  const haproxy = spawnSync('haproxy', ['-v']).status === 0;
  (haproxy ? it : it.skip)('has a configuration of HAProxy that finds who is ready', () =>
    withCluster({}, async (cluster) => {
      const file = cluster.file('haproxy.cfg');
      const [, text = ''] = /```haproxy\n([^]*?)```/.exec(DOCUMENT) ?? [];
      const port = await freePort();
      const here = text
        .replace(':80\n', `127.0.0.1:${port}\n`)
        .replace('10.0.0.11:8080', `127.0.0.1:${cluster.httpPort}`);
      writeFileSync(file, here.replace('10.0.0.12:8080', '127.0.0.1:1'));
      const proxy = spawn('haproxy', ['-f', file], { stdio: 'ignore' });
      try {
        const api = new Api(`http://127.0.0.1:${port}`);
        await waitUntil('it answers', async () => (await api.request('GET', '/healthz')).status === 200, {
          withinMs: FINAL_WITHIN_MS,
        });
        const job = await api.submit({ command: 'true' });
        cluster.scheduler.signal('SIGSTOP');
        await waitUntil(
          'nobody is ready',
          async () => (await api.request('GET', '/healthz', undefined, { withinMs: 500 })).status === 503,
          { withinMs: FINAL_WITHIN_MS },
        );
        cluster.scheduler.signal('SIGCONT');
        await waitUntil('it is again', async () => (await api.request('GET', '/healthz')).status === 200, {
          withinMs: FINAL_WITHIN_MS,
        });

        expect(await api.job(job.id)).toMatchObject({ state: 'queued' });
      } finally {
        proxy.kill('SIGKILL');
      }
    }),
  );

  const systemd = spawnSync('systemd-analyze', ['--version']).status === 0;
  (systemd ? it : it.skip)('has systemd units that are valid', () => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-units-'));
    try {
      const units = [...DOCUMENT.matchAll(/```ini\n# \/etc\/systemd\/system\/(\S+)\n([^]*?)```/g)];
      const files = units.map(([, name = '', text = '']) => {
        const here = text.replace('/usr/bin/node', process.execPath).replace(/^User=.*/m, 'User=root');
        writeFileSync(join(folder, name), here);
        return join(folder, name);
      });

      const verdict = spawnSync('systemd-analyze', ['verify', ...files], { encoding: 'utf8' });

      expect(files).toHaveLength(2);
      expect(verdict).toMatchObject({ status: 0, stderr: '' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** The commands of ours that Redis has refused since it was started. Settings are optional: they are only looked at. */
async function refused(redis: Redis): Promise<string[]> {
  const entries = (await redis.call('ACL', 'LOG')) as unknown[][];
  const objects = entries.map((entry) => String(entry[entry.indexOf('object') + 1]).split('|')[0] ?? '');
  return [...new Set(objects)].sort();
}
