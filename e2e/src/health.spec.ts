import type { Redis } from 'ioredis';

import type { Cluster } from './harness/cluster.js';
import type { Answer } from './harness/api.js';
import { letPass, waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

/** What load balancers and container engines wait by default, or less. */
const ANSWER_BOUND_MS = 1_000;
const AT_ONCE = 500;
const NOTICED_BOUND_MS = 5_000;
/** So long a second signal counts as a copy of the first. */
const SAME_PRESS_MS = 150;
const SCHEMA_KEY = 'orc:c:{ctl}:schema';

async function timed(cluster: Cluster, path: string, method = 'GET'): Promise<Answer & { tookMs: number }> {
  const began = performance.now();
  const answer = await cluster.api.request(method, path, undefined, { withinMs: 10_000 });
  return { ...answer, tookMs: performance.now() - began };
}

/** How long the slowest of them took. */
async function many(cluster: Cluster, path: string): Promise<{ statuses: Set<number>; slowestMs: number }> {
  const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => timed(cluster, path)));
  return {
    statuses: new Set(answers.map(({ status }) => status)),
    slowestMs: Math.max(...answers.map(({ tookMs }) => tookMs)),
  };
}

async function contents(redis: Redis): Promise<[string, string][]> {
  const keys = (await redis.keys('*')).sort();
  return Promise.all(
    keys.map(async (key): Promise<[string, string]> => [key, (await redis.dumpBuffer(key)).toString('hex')]),
  );
}

describe('health checks', () => {
  it('are answered within a second while Redis hangs, also 500 at once, and /healthz without it', () =>
    withCluster({}, async (cluster) => {
      const before = await many(cluster, '/readyz');
      await cluster.redis.signal('SIGSTOP');
      const one = await timed(cluster, '/readyz');
      const hung = await many(cluster, '/readyz');
      const alive = await many(cluster, '/healthz');
      await cluster.redis.signal('SIGCONT');
      await waitUntil('it is ready again', async () => (await timed(cluster, '/readyz')).status === 200, {
        withinMs: NOTICED_BOUND_MS,
      });

      expect([before.statuses, hung.statuses, alive.statuses]).toEqual([
        new Set([200]),
        new Set([503]),
        new Set([200]),
      ]);
      expect(one).toMatchObject({ status: 503, text: expect.stringContaining('Redis does not answer') });
      expect(one.tookMs).toBeLessThan(ANSWER_BOUND_MS);
      // What so many connections at once cost on this machine is not what Redis makes them wait for.
      const costMs = Math.max(before.slowestMs, alive.slowestMs);
      expect(hung.slowestMs).toBeLessThan(ANSWER_BOUND_MS + costMs);
    }));

  it('are small, never kept by a cache, and answer HEAD', () =>
    withCluster({}, async (cluster) => {
      for (const path of ['/healthz', '/readyz']) {
        const asked = await timed(cluster, path);
        const head = await timed(cluster, path, 'HEAD');

        expect([asked.status, head.status, head.text]).toEqual([200, 200, '']);
        expect([asked, head].map(({ headers }) => headers.get('cache-control'))).toEqual(['no-store', 'no-store']);
        expect(asked.text.length).toBeLessThan(path === '/healthz' ? 20 : 400);
      }
    }));
});

describe('on the way down with http.closeDelay', () => {
  it('a scheduler is not ready at once, does not lead, and answers until the delay is over', () =>
    withCluster({ schedulerArgs: ['--http-close-delay=2s'] }, async (cluster) => {
      const other = cluster.launch('other', 'apps/scheduler/dist/main.js', [
        `--redis-url=${cluster.redis.url}`,
        '--http-port=0',
        '--grpc-port=0',
      ]);
      await waitUntil('it runs', () => other.output.includes('the scheduler runs'), { withinMs: NOTICED_BOUND_MS });
      const since = performance.now();
      cluster.scheduler.signal('SIGTERM');

      const stopping = await waitUntil(
        'it says so',
        async () => {
          const answer = await timed(cluster, '/readyz');
          return answer.status === 503 && answer;
        },
        { withinMs: 200, everyMs: 10 },
      );
      const { id } = await cluster.api.submit({ command: 'true' });
      const read = await timed(cluster, `/api/v1/jobs/${id}`);
      await waitUntil('another one leads', () => other.output.includes('"leading"'), { withinMs: 1_500 });
      const { code } = await cluster.scheduler.ended();

      expect(stopping.text).toContain('it is stopping');
      expect([read.status, read.headers.get('connection')]).toEqual([200, 'close']);
      expect(code).toBe(0);
      expect(performance.now() - since).toBeGreaterThan(2_000);
      expect(performance.now() - since).toBeLessThan(2_000 + NOTICED_BOUND_MS);
    }));

  it('ends at once with a second signal', () =>
    withCluster({ schedulerArgs: ['--http-close-delay=60s'] }, async (cluster) => {
      cluster.scheduler.signal('SIGTERM');
      await waitUntil('it waits', () => cluster.scheduler.output.includes('http.closeDelay'), {
        withinMs: NOTICED_BOUND_MS,
      });

      await letPass(SAME_PRESS_MS);
      cluster.scheduler.signal('SIGTERM');

      expect(await cluster.scheduler.ended(ANSWER_BOUND_MS)).toEqual({ code: 1, signal: null });
    }));
});

describe('data of a newer schema', () => {
  it('end a scheduler with 2, which says both numbers and has touched nothing', () =>
    withCluster({}, async (cluster) => {
      const redis = cluster.redis.client();
      cluster.scheduler.signal('SIGTERM');
      await cluster.scheduler.ended();
      const known = Number(await redis.get(SCHEMA_KEY));
      await redis.set(SCHEMA_KEY, known + 1);
      const before = await contents(redis);

      const late = cluster.launch('late', 'apps/scheduler/dist/main.js', [
        `--redis-url=${cluster.redis.url}`,
        '--http-port=0',
        '--grpc-port=0',
      ]);

      expect(await late.ended()).toEqual({ code: 2, signal: null });
      expect(late.output).toContain(`the data in Redis have schema ${known + 1}, this scheduler knows ${known}`);
      expect(late.output).not.toContain('HTTP listens');
      expect(await contents(redis)).toEqual(before);
    }));
});
