import { readFileSync } from 'node:fs';

import { letPass } from '../../harness/wait.js';
import { readCommandLines } from '../command-lines.js';
import { requireThat, type Scenario } from '../scenario.js';
import { troubleOfRedis } from './redis-trouble.js';

const SLOW_FOR_MS = 25_000;
/** It goes on, even if a claim is given up now and then: its answer costs up to a second. */
const LEAST_STARTS = 25;
const MEMORY_MAY_GROW_BY_MIB = 60;

function slow(delayMs: number): Scenario {
  return troubleOfRedis({
    id: `R12-${delayMs}`,
    title: `${delayMs} ms delay in each direction between schedulers and Redis, for 25 s`,
    promise: 'jobs go on, more slowly; nobody is taken for dead; no memory fills with what waits',
    options: { links: true },
    jobsPerSecond: 5,
    async trouble(cluster, { recorder }, callers) {
      const before = cluster.schedulers.map((seat) => seat.usage().memoryMib);
      const fault = recorder.fault({ what: `${delayMs} ms delay`, target: 'redis' });
      cluster.schedulers.forEach(({ redis }) => redis.set({ mode: 'delay', ms: delayMs }));
      let most = 0;
      for (let passed = 0; passed < SLOW_FOR_MS; passed += 1_000) {
        await letPass(1_000);
        most = Math.max(
          most,
          ...cluster.schedulers.map((seat, index) => seat.usage().memoryMib - (before[index] ?? 0)),
        );
      }
      const accepted = callers.count(201, fault.atMs);
      const started = readCommandLines(readFileSync(recorder.commandFile, 'utf8')).filter(
        ({ kind, atMs }) => kind === 'start' && atMs >= fault.atMs,
      ).length;
      cluster.schedulers.forEach(({ redis }) => redis.heal());
      requireThat(most <= MEMORY_MAY_GROW_BY_MIB, `a scheduler grew by ${most.toFixed(0)} MiB`);
      requireThat(started >= LEAST_STARTS, `${started} jobs started in ${SLOW_FOR_MS / 1_000} s`);
      return `${started} jobs started and ${accepted} submissions accepted at the first try meanwhile; a scheduler grew by ${most.toFixed(0)} MiB`;
    },
  });
}

export const redisSlow: readonly Scenario[] = [slow(100), slow(500)];
