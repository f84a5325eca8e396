import { letPass, waitUntil } from '../../harness/wait.js';
import { span } from '../measure.js';
import { requireThat, type Scenario } from '../scenario.js';
import { uptimeMs } from '../uptime.js';
import { troubleOfRedis } from './redis-trouble.js';

const CUT_OFF_MS = 20_000;
const BALANCED_WITHIN_MS = 30_000;
/** What was on its way when the cut came is answered by then. */
const ON_THE_WAY_MS = 500;

const leaderCutOff: Scenario = troubleOfRedis({
  id: 'R7',
  title: 'the leader alone cut off from Redis for 20 s',
  promise:
    'it answers 503 and is not ready; its workers are on the other one before their leases end; the other one leads within 11 s',
  options: { links: true, workers: ['worker-1', 'worker-2', 'worker-3', 'worker-4'] },
  async trouble(cluster, { recorder }, callers) {
    const leader = await cluster.leader();
    const other = cluster.schedulers.find((seat) => seat !== leader) ?? leader;
    const [{ id: own }, { id }] = await Promise.all([leader.status(), other.status()]);
    const moving = await waitUntil(
      'the leader has workers',
      async () => (await other.api.workers()).filter(({ connectedTo }) => connectedTo === own).length || undefined,
      { withinMs: BALANCED_WITHIN_MS },
    );
    const fault = recorder.fault({ what: 'cut off from Redis for 20 s', target: leader.name });
    leader.redis.set({ mode: 'drop' });
    const since = performance.now();
    const passed = (): number => performance.now() - since;
    const [leadsMs, movedMs] = await Promise.all([
      waitUntil('the other one leads', async () => (await other.status()).leader && passed(), { withinMs: 20_000 }),
      waitUntil(
        'all workers are on the other one',
        async () => (await other.api.workers()).every(({ connectedTo }) => connectedTo === id) && passed(),
        { withinMs: 12_000 },
      ),
    ]);
    await letPass(CUT_OFF_MS - passed());
    const { status, reason } = await leader.status();
    requireThat(status === 'not_ready', `${leader.name} says that it is ${status}`);
    const accepted = callers.count(201, fault.atMs + ON_THE_WAY_MS, leader.name);
    requireThat(accepted === 0, `${leader.name} accepted ${accepted} submissions without Redis`);
    recorder.note({ type: 'healed', acceptedByTheOther: callers.count(201, fault.atMs, other.name), atMs: uptimeMs() });
    leader.redis.heal();
    requireThat(leadsMs <= 12_000, `the other one led after ${Math.round(leadsMs)} ms: allowed 11 s`);
    return `the other one led after ${span([leadsMs])}, had its ${moving} workers, too, after ${span([movedMs])}; the one cut off says "${reason}"`;
  },
});

const ROUNDS = 30;

const repliesLost: Scenario = troubleOfRedis({
  id: 'R14',
  title: `answers of Redis lost after it had executed, and the connection cut, ${ROUNDS} times at random`,
  promise: 'what was executed has its effect once: nothing is lost, nothing is there twice, nothing runs twice',
  options: { links: true },
  async trouble(cluster, { random, recorder }) {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { redis } = random.pick(cluster.schedulers);
      recorder.fault({ what: 'answers lost', target: redis.name });
      redis.set({ mode: 'drop' }, ['down']);
      await letPass(random.between(20, 500));
      redis.heal();
      await letPass(random.between(50, 600));
    }
    return '';
  },
});

export const redisPartitions: readonly Scenario[] = [leaderCutOff, repliesLost];
