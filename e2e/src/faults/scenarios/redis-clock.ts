import { letPass, waitUntil } from '../../harness/wait.js';
import { RedisClock } from '../cluster/redis-clock.js';
import { requireThat, type Scenario } from '../scenario.js';
import { troubleOfRedis } from './redis-trouble.js';

const HOUR_MS = 3_600_000;
const LASTS_MS = 10_000;
const LEADS_WITHIN_MS = 15_000;

function clockJumps(id: string, title: string, offsetMs: number): Scenario {
  const facts = {
    id,
    title: `Redis' wall clock set ${title} while jobs run`,
    promise: 'nobody is taken for dead, one scheduler leads within 15 s, nothing is lost, nothing runs twice',
    quick: false,
  };
  return {
    ...facts,
    needs: ['a local redis-server', 'a C compiler'],
    async run(context) {
      const clock = new RedisClock(context.folder);
      try {
        const trouble = troubleOfRedis({
          ...facts,
          async trouble(cluster, { recorder }) {
            const wall = async (): Promise<number> => Number((await cluster.redisClient.time())[0]) * 1_000;
            recorder.fault({ what: `wall clock ${title}`, target: 'redis' });
            clock.set(offsetMs);
            const jumpMs = (await wall()) - Date.now();
            requireThat(Math.abs(jumpMs - offsetMs) < 5_000, `the clock of Redis moved by ${jumpMs} ms only`);
            await letPass(LASTS_MS);
            await waitUntil('one leads', async () => (await cluster.leader()) !== undefined, {
              withinMs: LEADS_WITHIN_MS,
            });
            return '';
          },
        });
        return await trouble.run(context);
      } finally {
        clock.release();
      }
    },
  };
}

export const redisClock: readonly Scenario[] = [
  clockJumps('R15-forward', '1 h forward', HOUR_MS),
  clockJumps('R15-back', '1 h back', -HOUR_MS),
];
