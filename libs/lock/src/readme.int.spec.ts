import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock, systemRandom } from '@orchestrator/core';
import { createDeferred } from '@orchestrator/lifecycle';
import { createRedis } from '@orchestrator/redis';
import { silentLogger as logger } from '@orchestrator/telemetry';
import { startRedis } from '@orchestrator/testing';

import { LeaderElection, RedlockLock } from './index.js';

describe("README's example", () => {
  it('is what is run here', () => {
    const readme = readFileSync(join(__dirname, '../README.md'), 'utf8');
    const example = /```ts\n([^]*?)```/.exec(readme)?.[1]?.trim() ?? 'no example';
    const source = readFileSync(__filename, 'utf8').replace(/^ {4}/gm, '');

    expect(source).toContain(example);
  });

  it('takes a lease and leads', async () => {
    const server = await startRedis();
    const urls = [server.url];
    const reported: boolean[] = [];
    const report = async (signal: AbortSignal): Promise<void> => void reported.push(!signal.aborted);
    const registry = { mintTerm: (candidate: string) => Promise.resolve(candidate.length) };
    const led = createDeferred<number>();
    const judgeUntil = (term: number, signal: AbortSignal): Promise<void> => {
      led.resolve(term);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    };

    const nodes = urls.map((url) => createRedis({ url, connectionName: 'lock' }));
    const lock = new RedlockLock({ nodes, clock: systemClock, random: systemRandom, logger });

    // A lease: extended by itself, its signal aborts when it can no longer be trusted.
    const lease = await lock.tryAcquire('nightly-report');
    if (lease !== undefined) {
      await report(lease.signal);
      await lease.release();
    }

    // A leader.
    const election = new LeaderElection({
      lock,
      candidate: 'scheduler-1',
      mintTerm: (candidate) => registry.mintTerm(candidate),
      lead: (term, signal) => judgeUntil(term, signal),
      clock: systemClock,
      random: systemRandom,
      logger,
    });
    await election.start();

    expect(reported).toEqual([true]);
    expect(await led.promise).toBe('scheduler-1'.length);
    await election.stop();
    await lock.close();
    nodes.forEach((node) => node.disconnect());
    await server.stop();
  });
});
