import { readFileSync } from 'node:fs';

import { letPass, waitUntil } from '../../harness/wait.js';
import type { FaultCluster } from '../cluster/fault-cluster.js';
import { readCommandLines } from '../command-lines.js';
import { commandsRun, span } from '../measure.js';
import { requireThat, type Scenario } from '../scenario.js';
import { troubleOfRedis } from './redis-trouble.js';

interface Command {
  words: readonly [string, ...string[]];
  /** For how long it has its effect. */
  lastsMs: number;
}

const COMMANDS: readonly Command[] = [
  { words: ['SCRIPT', 'FLUSH', 'SYNC'], lastsMs: 500 },
  { words: ['CLIENT', 'KILL', 'TYPE', 'normal'], lastsMs: 1_000 },
  { words: ['CLIENT', 'KILL', 'TYPE', 'pubsub'], lastsMs: 1_000 },
  { words: ['CLIENT', 'PAUSE', '3000', 'WRITE'], lastsMs: 4_000 },
  { words: ['DEBUG', 'SLEEP', '3'], lastsMs: 4_000 },
  { words: ['CONFIG', 'SET', 'timeout', '1'], lastsMs: 6_000 },
  { words: ['CONFIG', 'SET', 'timeout', '0'], lastsMs: 0 },
];

const operators: Scenario = troubleOfRedis({
  id: 'R10',
  title: 'SCRIPT FLUSH, CLIENT KILL, CLIENT PAUSE 3000 WRITE, DEBUG SLEEP 3, CONFIG SET timeout 1, twice each',
  promise: 'jobs do not notice: nothing is lost, nobody is taken for dead, nothing runs twice',
  options: { redisArgs: ['--enable-debug-command', 'local'] },
  async trouble(cluster, { random, recorder }) {
    for (const { words, lastsMs } of [...COMMANDS, ...COMMANDS]) {
      recorder.fault({ what: words.join(' '), target: 'redis' });
      const [name, ...args] = words;
      await cluster.redisClient.call(name, ...args).catch(() => undefined);
      await letPass(lastsMs + random.between(0, 500));
    }
    return '';
  },
});

const TOLD_WITHIN_MS = 12_000;
const DELETED = 'all data in Redis were deleted';
/** The next heartbeat finds it. */
const ENDED_WITHIN_MS = 3_500;
const NOTHING_ELSE_FOR_MS = 5_000;

/** An operator's mistake that no queue survives. What matters is that nobody is told that all is well. */
const flushed: Scenario = {
  id: 'R11',
  title: 'FLUSHALL while jobs run',
  promise:
    'what runs is ended; /readyz of every scheduler answers 503 and says why, the log too, until one is started anew; then jobs run again, on the same workers',
  quick: true,
  async run(context) {
    const { recorder } = context;
    const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1'] });
    const client = context.client();
    await Promise.all(Array.from({ length: 4 }, () => client.submit({ ms: 8_000 })));
    await commandsRun(recorder, 'worker-1', 4);
    await letPass(1_000);

    const fault = recorder.fault({ what: 'FLUSHALL', target: 'redis' });
    const since = performance.now();
    await cluster.redisClient.flushall();
    await waitUntil('all schedulers say so', () => allSay(cluster, DELETED), { withinMs: TOLD_WITHIN_MS });
    const toldMs = performance.now() - since;
    await letPass(NOTHING_ELSE_FOR_MS);
    requireThat(await allSay(cluster, DELETED), 'a scheduler says no more that the data were deleted');
    requireThat(
      cluster.schedulers.every((seat) => seat.errors().some((line) => line.includes('FLUSHALL'))),
      'not every scheduler has logged it as an error',
    );
    const answer = await cluster.api.request('POST', '/api/v1/jobs', { name: 'after', command: 'true' });
    const lines = readCommandLines(readFileSync(recorder.commandFile, 'utf8'));
    const lastMs = Math.max(...lines.map(({ atMs }) => atMs)) - fault.atMs;
    requireThat(lastMs <= ENDED_WITHIN_MS, `a command wrote ${lastMs} ms after all was deleted`);

    recorder.fault({ what: 'restart', target: 'scheduler-1' });
    await cluster.scheduler(1).restart();
    await cluster.scheduler(2).ready();
    const job = await cluster.scheduler(1).api.submit({ command: 'true' });
    const restartedMs = performance.now();
    await cluster.scheduler(1).api.finalJob(job.id, 30_000);
    return `named by all schedulers after ${span([toldMs])}; commands ended within ${span([lastMs])}; a submission amid that is answered ${answer.status}; after a restart of one scheduler a new job ran within ${span([performance.now() - restartedMs])}`;
  },
};

async function allSay(cluster: FaultCluster, reason: string): Promise<boolean> {
  const answers = await Promise.all(cluster.schedulers.map((seat) => seat.status()));
  return answers.every((answer) => answer.status === 'not_ready' && answer.reason === reason);
}

export const redisCommands: readonly Scenario[] = [operators, flushed];
