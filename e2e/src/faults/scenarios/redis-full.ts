import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { openJobs } from '../../harness/open-jobs.js';
import { letPass, waitUntil } from '../../harness/wait.js';
import type { FaultCluster } from '../cluster/fault-cluster.js';
import { requireThat, type Scenario } from '../scenario.js';
import { troubleOfRedis } from './redis-trouble.js';

const FULL_FOR_MS = 15_000;
const LONG_JOBS = 4;

const memoryFull: Scenario = troubleOfRedis({
  id: 'R8',
  title: 'Redis full (maxmemory) for 15 s',
  promise:
    'submissions are answered 507 and leave nothing behind; what runs ends, heartbeats and leadership go on; afterwards everything is as before without a restart',
  submissions: [201, 507],
  async trouble(cluster, { recorder }, callers) {
    const leader = await cluster.leader();
    const terms = await leads(cluster);
    const used = /^used_memory:(\d+)/m.exec(await cluster.redisClient.info('memory'))?.[1] ?? '0';
    const fault = recorder.fault({ what: 'maxmemory', target: 'redis' });
    await cluster.redisClient.config('SET', 'maxmemory', used);
    await letPass(FULL_FOR_MS);
    const { running } = await openJobs(cluster.redisClient);
    const { status } = await leader.status();
    const workers = await cluster.api.workers();
    const refused = callers.count(507, fault.atMs);
    const accepted = callers.count(201, fault.atMs + 1_000);
    await cluster.redisClient.config('SET', 'maxmemory', '0');
    requireThat(refused > 0, 'no submission was answered 507: it was not full');
    requireThat(running === 0, `${running} jobs still run: the ${LONG_JOBS} that ran could not end`);
    requireThat(status === 'ready', `${leader.name} says that it is ${status}: only submissions are refused`);
    requireThat(
      workers.every(({ state, health }) => state === 'alive' && health === 'ok'),
      `not all workers are well: ${JSON.stringify(workers)}`,
    );
    const after = await leads(cluster);
    requireThat(after === terms, `leadership changed: ${terms}, then ${after}`);
    return `${refused} submissions of callers answered 507, ${accepted} accepted meanwhile; ${LONG_JOBS} jobs ended meanwhile; the same leader in the same term`;
  },
});

/** Who leads in which term. */
async function leads(cluster: FaultCluster): Promise<string> {
  const leader = await cluster.leader();
  return `${leader.name} in term ${await leader.metric('orchestrator_term')}`;
}

const DISK_MIB = 24;
const DISK_FULL_FOR_MS = 8_000;

const diskFullFacts = {
  id: 'R9',
  title: 'the disk of the append-only file full for 8 s',
  promise:
    'submissions are answered 503; results are kept by the workers and recorded afterwards; nothing is lost, nothing runs twice',
  quick: false,
};

/** For less than a lease: nothing has to be frozen. */
const diskFull: Scenario = {
  ...diskFullFacts,
  needs: ['a local redis-server', 'tmpfs mounts'],
  async run(context) {
    const disk = join(context.folder, 'disk');
    mkdirSync(disk, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', disk]);
    try {
      const trouble = troubleOfRedis({
        ...diskFullFacts,
        options: { redisArgs: ['--dir', disk, '--auto-aof-rewrite-percentage', '0'] },
        async trouble(cluster, { recorder }) {
          const ballast = join(disk, 'ballast');
          recorder.fault({ what: 'disk full', target: 'redis' });
          fill(ballast);
          await waitUntil(
            'a scheduler says so',
            async () => (await cluster.scheduler(1).status()).reason?.includes('disk'),
            { withinMs: 5_000 },
          );
          const { reason } = await cluster.scheduler(1).status();
          await letPass(DISK_FULL_FOR_MS);
          rmSync(ballast);
          return `/readyz: "${reason}"`;
        },
      });
      return await trouble.run(context);
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  },
};

function fill(file: string): void {
  const handle = openSync(file, 'w');
  try {
    for (let size = 1 << 20; size > 0; size >>= 1) {
      fillBy(handle, Buffer.alloc(size));
    }
  } finally {
    closeSync(handle);
  }
}

function fillBy(handle: number, piece: Buffer): void {
  try {
    while (writeSync(handle, piece) === piece.length) {
      // Until nothing fits any more.
    }
  } catch (error) {
    requireThat((error as NodeJS.ErrnoException).code === 'ENOSPC', `the disk cannot be filled: ${String(error)}`);
  }
}

export const redisFull: readonly Scenario[] = [memoryFull, diskFull];
