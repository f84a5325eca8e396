import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemRandom } from '@orchestrator/core';
import { createRedis } from '@orchestrator/redis';
import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock, startRedis } from '@orchestrator/testing';

import { type Death, RedisSessionRegistry, SessionJudge } from './index.js';

const SECOND_MS = 1_000;

describe("README's example", () => {
  it('is what is run here', () => {
    const readme = readFileSync(join(__dirname, '../README.md'), 'utf8');
    const example = /```ts\n([^]*?)```/.exec(readme)?.[1]?.trim() ?? 'no example';
    const source = readFileSync(__filename, 'utf8').replace(/^ {4}/gm, '');

    expect(source).toContain(example);
  });

  it('declares dead what is silent', async () => {
    const server = await startRedis();
    const redis = createRedis({ url: server.url, connectionName: 'example' });
    await redis.connect();
    const clock = new ManualClock();
    const deaths: Death[] = [];

    const registry = new RedisSessionRegistry({ redis });

    // A process says hello, and renews every HEARTBEAT_INTERVAL_MS.
    const info = { pools: ['default'], slots: 4, labels: {}, version: '1', host: 'a', pid: 1 };
    const worker = { session: 'f3a1', worker: 'worker-1', leaseMs: 12_000, scheduler: 's1' };
    const welcome = await registry.hello({ ...worker, number: 1, hasRun: false, info });
    const epoch = welcome.status === 'welcome' ? welcome.epoch : 0;
    const renewal = { session: 'f3a1', epoch, freeSlots: 4, load: 0, memoryUsedBytes: 0, memoryTotalBytes: 0 };
    await registry.renew([renewal]);

    // Whoever leads (see @orchestrator/lock) mints a term and judges.
    const term = await registry.mintTerm('s1');
    const onDeath = (death: Death): void => void deaths.push(death);
    const judge = new SessionJudge({ registry, term, clock, random: systemRandom, logger: silentLogger, onDeath });
    await judge.start();

    for (let i = 0; i <= 15; i++) {
      await judge.runOnce();
      clock.advance(SECOND_MS);
    }
    await judge.stop();
    redis.disconnect();
    await server.stop();
    expect(deaths).toMatchObject([{ session: 'f3a1', reason: 'silent', losses: 4 }]);
  });
});
