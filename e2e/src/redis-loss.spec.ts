import { readTicks, tickJob } from './harness/ticks.js';
import { letPass, waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

const ANSWERED_WITHIN_MS = 3_000;
const AWAY_FOR_MS = 4_000;

describe('the loss of Redis', () => {
  it('loses nothing and declares nobody dead', () =>
    withCluster({ workers: ['worker-1', 'worker-2'] }, async (cluster) => {
      const ticks = cluster.file('ticks');
      const running = await cluster.api.submit(tickJob(ticks, 12));
      await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });
      const batch = await cluster.api.submitBatch(
        Array.from({ length: 50 }, () => ({ name: 'many', command: 'sleep 0.2' })),
      );

      await cluster.redis.signal('SIGKILL');
      await letPass(AWAY_FOR_MS);
      await cluster.redis.restart();

      const done = await waitUntil(
        'the batch is done',
        async () => {
          const answer = await cluster.api.batch(batch.batchId);
          return answer.done && answer;
        },
        { withinMs: 40_000 },
      );
      expect(done.counts).toMatchObject({ succeeded: 50 });
      const jobs = await Promise.all([running, ...batch.jobs].map(({ id }) => cluster.api.finalJob(id, 20_000)));
      expect(jobs.filter((job) => job.state !== 'succeeded' || job.workerLosses !== 0)).toEqual([]);
      expect(new Set(readTicks(ticks).map((tick) => tick.pid)).size).toBe(1);
      expect((await cluster.api.workers()).map(({ id, state }) => `${id} ${state}`).sort()).toEqual([
        'worker-1 alive',
        'worker-2 alive',
      ]);
    }));

  it.each([
    ['is gone', 'SIGKILL'],
    ['hangs', 'SIGSTOP'],
  ] as const)('answers 503 within 3 s while Redis %s, and accepts jobs again afterwards', (_, signal) =>
    withCluster({}, async (cluster) => {
      await cluster.redis.signal(signal);

      const since = performance.now();
      const refused = await cluster.api.request('POST', '/api/v1/jobs', { name: 'refused', command: 'true' });
      const tookMs = performance.now() - since;

      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).not.toBeNull();
      expect(refused.headers.get('content-type')).toMatch('application/problem+json');
      expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS);
      expect((await cluster.api.request('GET', '/healthz')).status).toBe(200);
      expect((await cluster.api.request('GET', '/readyz')).status).toBe(503);

      await (signal === 'SIGKILL' ? cluster.redis.restart() : cluster.redis.signal('SIGCONT'));
      const accepted = await waitUntil(
        'a job is accepted',
        async () => {
          const answer = await cluster.api.request('POST', '/api/v1/jobs', { name: 'accepted', command: 'true' });
          return answer.status === 201;
        },
        { withinMs: 15_000 },
      );
      expect(accepted).toBe(true);
    }),
  );
});
