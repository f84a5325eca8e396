import { createServer, type Server, type Socket } from 'node:net';

import { HeldState } from '@orchestrator/proto-types';
import { freePort } from '@orchestrator/testing';

import { QUICK_CONNECT_MS } from './dialing.js';
import { aRef, assign } from './testing/messages.js';
import { ScriptedScheduler } from './testing/scripted-scheduler.js';
import { WorkerBench } from './testing/worker-bench.js';

/** What a busy machine adds. */
const SLACK_MS = 1_000;

describe('Connector over gRPC', () => {
  const cleanups: (() => unknown)[] = [];

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) {
      await cleanup();
    }
  });

  async function aScheduler(): Promise<ScriptedScheduler> {
    const scheduler = await ScriptedScheduler.start();
    cleanups.push(() => scheduler.stop());
    return scheduler;
  }

  /** Takes connections and answers nothing, as a host whose processes are stopped. */
  async function aSilentHost(): Promise<{ address: string; dials: number[] }> {
    const sockets = new Set<Socket>();
    const dials: number[] = [];
    const server: Server = createServer((socket) => {
      dials.push(performance.now());
      sockets.add(socket.on('error', () => undefined).resume());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    });
    const { port } = server.address() as { port: number };
    return { address: `127.0.0.1:${port}`, dials };
  }

  async function aWorker(...schedulers: string[]): Promise<WorkerBench> {
    const bench = new WorkerBench({ schedulers });
    cleanups.push(() => bench.end());
    await bench.worker.start();
    return bench;
  }

  it('leaves a host that answers nothing after a short while, long before a lease ends', async () => {
    const silent = await aSilentHost();
    const scheduler = await aScheduler();

    await aWorker(silent.address, scheduler.address);
    await scheduler.nextWelcomed();

    const tookMs = performance.now() - (silent.dials[0] ?? 0);
    expect(silent.dials).toHaveLength(1);
    expect(tookMs).toBeGreaterThan(QUICK_CONNECT_MS - SLACK_MS);
    expect(tookMs).toBeLessThan(QUICK_CONNECT_MS + SLACK_MS);
  });

  it('passes over an address where nobody listens at once', async () => {
    const scheduler = await aScheduler();

    const startMs = performance.now();
    await aWorker(`127.0.0.1:${await freePort()}`, scheduler.address);
    await scheduler.nextWelcomed();

    expect(performance.now() - startMs).toBeLessThan(SLACK_MS);
  });

  it('goes to the next address at once when it is told to reconnect, and says what it still holds', async () => {
    const one = await aScheduler();
    const two = await aScheduler();
    const { runners } = await aWorker(one.address, two.address);
    const stream = await one.nextWelcomed();
    stream.send(assign(100, 'a.0'));
    await runners[0]?.hasRun('a.0');

    const startMs = performance.now();
    stream.send({ message: { $case: 'reconnect', value: { reason: 'balancing' } } });
    const hello = await (await two.nextStream()).next('hello');

    expect(performance.now() - startMs).toBeLessThan(SLACK_MS);
    expect(hello).toMatchObject({
      number: 2,
      hasRun: true,
      held: [{ attempt: aRef('a.0'), state: HeldState.RUNNING }],
    });
  });
});
