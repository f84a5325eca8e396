import { letPass, waitUntil } from '../../harness/wait.js';
import type { FaultCluster } from '../cluster/fault-cluster.js';
import { span } from '../measure.js';
import type { Scenario } from '../scenario.js';
import { troubleOfRedis } from './redis-trouble.js';

const REPLICATED = { schedulerArgs: ['--durability=replica:1'] };
const PROMOTED_WITHIN_MS = 15_000;
/** Sentinels lead a replica to the second new master after up to ten seconds: until then it takes no writes. */
const LAST_REPLICA_FOLLOWS_WITHIN_MS = 30_000;

/** Until Sentinels name another master. */
async function promoted(cluster: FaultCluster, before: number): Promise<number> {
  const since = performance.now();
  await waitUntil('another master', async () => (await cluster.group.master()) !== before, {
    withinMs: PROMOTED_WITHIN_MS,
  });
  return performance.now() - since;
}

const masterKilled: Scenario = troubleOfRedis({
  id: 'R4',
  title: 'SIGKILL of the master, failover by Sentinel (durability replica:1)',
  promise: 'accepted again within 15 s; every accepted submission is there; nothing is lost, nothing runs twice',
  needs: ['a local redis-server'],
  options: { ...REPLICATED, replicas: 2 },
  async trouble(cluster, { recorder }) {
    const before = await cluster.group.master();
    recorder.fault({ what: 'SIGKILL', target: 'the master' });
    await cluster.group.servers[before]?.signal('SIGKILL');
    return `another master after ${span([await promoted(cluster, before)])}`;
  },
});

const twoMastersKilled: Scenario = troubleOfRedis({
  id: 'R4-twice',
  title: 'SIGKILL of the master, and of the next one 0–3 s after its promotion (durability replica:1)',
  promise:
    'accepted again as soon as the last replica follows (30 s); every accepted submission is there; nothing is lost, nothing runs twice',
  needs: ['a local redis-server'],
  options: { ...REPLICATED, replicas: 3 },
  acceptedAgainWithinMs: LAST_REPLICA_FOLLOWS_WITHIN_MS,
  async trouble(cluster, { recorder, random }) {
    const took: number[] = [];
    for (let time = 1; time <= 2; time += 1) {
      const before = await cluster.group.master();
      recorder.fault({ what: 'SIGKILL', target: 'the master' });
      await cluster.group.servers[before]?.signal('SIGKILL');
      took.push(await promoted(cluster, before));
      await letPass(random.between(0, 3_000));
    }
    return `another master after ${span(took)}`;
  },
});

const SILENT_FOR_MS = 15_000;

const masterSilent: Scenario = troubleOfRedis({
  id: 'R5',
  title: 'the master stopped for 15 s, failover by Sentinel, then it wakes (min-replicas-to-write 1)',
  promise: 'what was accepted is there, also what the old master was sent; nothing is accepted twice',
  needs: ['a local redis-server'],
  options: { ...REPLICATED, replicas: 2 },
  async trouble(cluster, { recorder }, callers) {
    const before = await cluster.group.master();
    const fault = recorder.fault({ what: 'SIGSTOP', target: 'the master' });
    const since = performance.now();
    await cluster.group.servers[before]?.signal('SIGSTOP');
    const promotedMs = await promoted(cluster, before);
    const againMs = await waitUntil(
      'submissions are accepted by the new master',
      () => callers.acceptedAgainAfterMs(fault.atMs + promotedMs),
      { withinMs: PROMOTED_WITHIN_MS },
    );
    await letPass(SILENT_FOR_MS - (performance.now() - since));
    recorder.fault({ what: 'SIGCONT', target: 'the former master' });
    await cluster.group.servers[before]?.signal('SIGCONT');
    return `another master after ${span([promotedMs])}, submissions accepted there ${span([againMs])} later`;
  },
});

export const redisFailovers: readonly Scenario[] = [masterKilled, twoMastersKilled, masterSilent];
