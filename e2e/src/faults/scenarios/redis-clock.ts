import { letPass, waitUntil } from '../../harness/wait.js';
import { RedisClock } from '../cluster/redis-clock.js';
import { requireThat, type Scenario } from '../scenario.js';
import { troubleOfRedis } from './redis-trouble.js';

const HOUR_MS = 3_600_000;
const LASTS_MS = 10_000;
/** Less than that. */
const DELAY_S = 5;
const LEADS_WITHIN_MS = 15_000;

/** With a jump back the clock is set right again in the end: what is due by it would come an hour late. */
function clockJumps(id: string, title: string, offsetMs: number): Scenario {
  const facts = {
    id,
    title: `Redis' wall clock set ${title} while jobs run`,
    promise:
      'nobody is taken for dead, one scheduler leads within 15 s, nothing is lost, nothing runs twice; delays and back-offs count by that clock',
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
          async trouble(cluster, { recorder }, callers) {
            const wall = async (): Promise<number> => Number((await cluster.redisClient.time())[0]) * 1_000;
            recorder.fault({ what: `wall clock ${title}`, target: 'redis' });
            const delayed = await callers.submitDelayed(DELAY_S);
            clock.set(offsetMs);
            const jumpMs = (await wall()) - Date.now();
            requireThat(Math.abs(jumpMs - offsetMs) < 5_000, `the clock of Redis moved by ${jumpMs} ms only`);
            await letPass(LASTS_MS);
            await waitUntil('one leads', async () => (await cluster.leader()) !== undefined, {
              withinMs: LEADS_WITHIN_MS,
            });
            const { state } = await cluster.api.job(delayed);
            if (offsetMs < 0) {
              clock.set(0);
            }
            return `after ${LASTS_MS / 1_000} s a job with a delay of ${DELAY_S} s was ${state}`;
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
