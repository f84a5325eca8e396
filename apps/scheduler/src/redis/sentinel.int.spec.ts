import { freePort, startSentinelGroup, usesContainers } from '@orchestrator/testing';

import { createSchedulerApp } from '../app.js';
import { loadSchedulerConfig } from '../config.js';
import { memoryStream } from '../testing/memory-stream.js';

/** An election of Sentinels that ends without a winner, as on a busy machine, is repeated after 6 to 8 s, more than once if need be. */
const FAILOVER_BOUND_MS = 45_000;
const TEST_BOUND_MS = 2 * FAILOVER_BOUND_MS;
const ANSWER_BOUND_MS = 3_000;
const CLIENTS = 4;
const MAX_READS = 50;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Its servers announce loopback addresses to each other: they cannot be in containers. */
const describeHere = usesContainers() ? describe.skip : describe;

describeHere('a scheduler with Sentinels at durability replica:1', () => {
  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'goes on with the next master after %s of the first, and no accepted job is lost',
    async (signal) => {
      const group = await startSentinelGroup();
      const loaded = loadSchedulerConfig(
        [
          ...['--redis-sentinels', group.sentinels.join(','), '--redis-name', group.name, '--durability', 'replica:1'],
          ...['--http-port', '0', '--grpc-port', '0', '--log-format', 'json'],
        ],
        {},
      );
      if (loaded.outcome !== 'run') {
        throw new Error('an answer');
      }
      const app = createSchedulerApp({ ...loaded, stdout: memoryStream().stream as NodeJS.WriteStream });
      try {
        await app.service.start();
        const url = `http://127.0.0.1:${(await app.status()).ports.http}`;
        const accepted: string[] = [];
        const statuses = new Set<number>();
        let slowestMs = 0;
        const submit = async (): Promise<boolean> => {
          const began = performance.now();
          const response = await fetch(`${url}/api/v1/jobs`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ name: 'a', command: 'true' }),
          });
          const body = (await response.json()) as { id: string };
          slowestMs = Math.max(slowestMs, performance.now() - began);
          statuses.add(response.status);
          if (response.status === 201) {
            accepted.push(body.id);
          }
          return response.status === 201;
        };
        const submitted = async (withinMs: number): Promise<void> => {
          const end = performance.now() + withinMs;
          while (!(await submit())) {
            if (performance.now() > end) {
              throw new Error(`nothing was accepted within ${withinMs} ms`);
            }
            await sleep(20);
          }
        };
        await submitted(FAILOVER_BOUND_MS);

        let isOver = false;
        const clients = Array.from({ length: CLIENTS }, async () => {
          while (!isOver) {
            await submit();
            await sleep(5);
          }
        });
        await sleep(300);
        await group.servers[0]?.signal(signal);
        const before = accepted.length;
        await submitted(FAILOVER_BOUND_MS);
        isOver = true;
        await Promise.all(clients);
        await group.servers[0]?.signal('SIGCONT');

        expect(before).toBeGreaterThan(1);
        expect([...statuses].filter((status) => status !== 201 && status !== 503)).toEqual([]);
        expect(slowestMs).toBeLessThan(ANSWER_BOUND_MS);
        expect(await group.master()).not.toBe(0);
        // Each connection moves on by itself; some reads come too early.
        const read = async (id: string): Promise<number> => {
          for (let tries = 0; ; tries += 1) {
            const { status } = await fetch(`${url}/api/v1/jobs/${id}`);
            if (status !== 503 || tries === MAX_READS) {
              return status;
            }
            await sleep(100);
          }
        };
        const found = await Promise.all(accepted.map(read));
        expect(found.filter((status) => status !== 200)).toEqual([]);
        expect((await app.status()).durability).toBe('replica:1');
      } finally {
        await app.service.stop();
        await group.stop();
      }
    },
    TEST_BOUND_MS,
  );
});

describe('a scheduler whose Sentinels do not answer', () => {
  it('starts all the same, says so, and is not ready', async () => {
    const away = [await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
    const loaded = loadSchedulerConfig(
      [
        ...['--redis-sentinels', away.join(','), '--redis-name', 'main'],
        ...['--http-port', '0', '--grpc-port', '0', '--log-format', 'json'],
      ],
      {},
    );
    if (loaded.outcome !== 'run') {
      throw new Error('an answer');
    }
    const out = memoryStream();
    const app = createSchedulerApp({ ...loaded, stdout: out.stream as NodeJS.WriteStream });
    try {
      await app.service.start();
      const readyz = await fetch(`http://127.0.0.1:${(await app.status()).ports.http}/readyz`);

      expect(readyz.status).toBe(503);
      expect(await readyz.json()).toMatchObject({ redis: 'unreachable', reason: 'Redis does not answer' });
      expect(out.lines().filter(({ level }) => level === 'warn')).toContainEqual(
        expect.objectContaining({ message: expect.stringContaining('Redis cannot be reached') as string }),
      );
    } finally {
      await app.service.stop();
    }
  });
});
