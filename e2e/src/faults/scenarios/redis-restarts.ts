import { letPass } from '../../harness/wait.js';
import type { Scenario } from '../scenario.js';
import { troubleOfRedis } from './redis-trouble.js';

const AWAY_FOR_MS = 5_000;

interface Restart {
  id: string;
  signal: 'SIGTERM' | 'SIGKILL';
  fsync: 'everysec' | 'always';
}

function restarted({ id, signal, fsync }: Restart): Scenario {
  return troubleOfRedis({
    id,
    title: `${signal} of Redis (appendfsync ${fsync}), started again after 5 s`,
    promise: 'meanwhile 503 within 3 s; then nothing is lost, nobody is taken for dead, nothing runs twice',
    options: { redisArgs: ['--appendfsync', fsync] },
    async trouble(cluster, { recorder }) {
      recorder.fault({ what: signal, target: 'redis' });
      await cluster.redis.signal(signal);
      await letPass(AWAY_FOR_MS);
      await cluster.redis.restart();
      return '';
    },
  });
}

export const redisRestarts: readonly Scenario[] = [
  restarted({ id: 'R1', signal: 'SIGTERM', fsync: 'everysec' }),
  restarted({ id: 'R2', signal: 'SIGKILL', fsync: 'everysec' }),
  restarted({ id: 'R2-always', signal: 'SIGKILL', fsync: 'always' }),
];
