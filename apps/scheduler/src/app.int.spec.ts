import { controlKeys } from '@orchestrator/heartbeat';
import { startRedis, type TestRedis } from '@orchestrator/testing';

import { createSchedulerApp, type SchedulerApp } from './app.js';
import { loadSchedulerConfig } from './config.js';
import type { SchedulerStatus } from './http/deps.js';
import { memoryStream } from './testing/memory-stream.js';

const READY_BOUND_MS = 10_000;

function createApp(redis: TestRedis, ...argv: string[]): { app: SchedulerApp; lines(): Record<string, unknown>[] } {
  const out = memoryStream();
  const loaded = loadSchedulerConfig(
    ['--redis-url', redis.url, '--http-port', '0', '--grpc-port', '0', '--log-format', 'json', ...argv],
    {},
  );
  if (loaded.outcome !== 'run') {
    throw new Error('an answer');
  }
  return { app: createSchedulerApp({ ...loaded, stdout: out.stream as NodeJS.WriteStream }), lines: out.lines };
}

async function statusOnce(app: SchedulerApp, holds: (status: SchedulerStatus) => boolean): Promise<SchedulerStatus> {
  const end = performance.now() + READY_BOUND_MS;
  for (;;) {
    const status = await app.status();
    if (holds(status)) {
      return status;
    }
    if (performance.now() > end) {
      throw new Error(`still ${JSON.stringify(status)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('the scheduler', () => {
  it('starts without a Redis, says so, and is ready when there is one', async () => {
    const redis = await startRedis({ persistent: true });
    await redis.signal('SIGKILL');
    const { app, lines } = createApp(redis);
    try {
      await app.service.start();
      const before = await app.status();
      const url = `http://127.0.0.1:${before.ports.http}`;
      const absent = await fetch(`${url}/readyz`);
      const alive = await fetch(`${url}/healthz`);
      await redis.restart();
      const ready = await statusOnce(app, ({ status, leader }) => status === 'ready' && leader);
      const present = await fetch(`${url}/readyz`);

      expect([absent.status, alive.status, present.status]).toEqual([503, 200, 200]);
      expect(before).toMatchObject({ status: 'not_ready', redis: 'unreachable', leader: false });
      expect(ready.ports.grpc).toBeGreaterThan(0);
      expect(await present.json()).toEqual({ ...ready, durability: 'memory' });
      const messages = lines().map(({ message }) => message);
      expect(messages.filter((message) => String(message).startsWith('Redis cannot be reached'))).toHaveLength(1);
      expect(lines()).toContainEqual(expect.objectContaining({ message: 'HTTP listens', port: ready.ports.http }));
      expect(lines()).toContainEqual(expect.objectContaining({ message: 'gRPC listens', port: ready.ports.grpc }));
    } finally {
      await app.service.stop();
      await redis.stop();
    }
  });

  it('tells in /metrics whether it leads, under which term, and whether Redis answers', async () => {
    const redis = await startRedis();
    const { app } = createApp(redis);
    await app.service.start();
    try {
      const { ports } = await statusOnce(app, ({ leader }) => leader);
      const read = async (): Promise<string> => (await fetch(`http://127.0.0.1:${ports.http}/metrics`)).text();
      const term = await redis.client().hget(controlKeys().term, 'term');

      const leading = await read();
      await redis.signal('SIGKILL');
      await statusOnce(app, ({ redis: answer }) => answer === 'unreachable');
      const alone = await read();

      expect(leading).toContain('\norchestrator_leader 1\n');
      expect(leading).toContain(`\norchestrator_term ${term}\n`);
      expect(leading).toContain('\norchestrator_redis_up 1\n');
      expect(leading).toContain('\norchestrator_refused_total{code="STALE_TERM"} 0\n');
      expect(alone).toContain('\norchestrator_redis_up 0\n');
    } finally {
      await app.service.stop();
      await redis.stop();
    }
  });

  it('is not ready as soon as it stops, and holds nothing afterwards', async () => {
    const redis = await startRedis();
    const { app } = createApp(redis);
    await app.service.start();
    const { ports } = await statusOnce(app, ({ status }) => status === 'ready');

    const stopping = app.service.stop();
    const during = await app.status();
    await stopping;

    expect(during).toMatchObject({ status: 'not_ready', reason: 'it is stopping' });
    await expect(fetch(`http://127.0.0.1:${ports.http}/healthz`)).rejects.toThrow();
    const clients = (await redis.client().client('LIST')) as string;
    expect(clients).not.toContain('scheduler-');
    await redis.stop();
  });

  it('never logs a secret', async () => {
    const redis = await startRedis();
    const { app, lines } = createApp(redis, '--auth-join-token', 'hush-hush', '--log-level', 'debug');
    await app.service.start();
    await app.service.stop();
    await redis.stop();

    expect(lines().length).toBeGreaterThan(3);
    expect(JSON.stringify(lines())).not.toContain('hush');
  });
});
