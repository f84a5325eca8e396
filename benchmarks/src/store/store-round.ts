import { randomBytes } from 'node:crypto';

import { createUlids, type Random, systemClock, systemRandom } from '@orchestrator/core';
import { type ClaimedJob, type NewJob, queueKeys, RedisQueueStore, type Settlement } from '@orchestrator/queue';
import type { Redis } from 'ioredis';

import { readCounters, type RedisCounters, usedMemory } from './redis-counters.js';

/** What is measured: all calls of a job's path, in batches of one size. */
export interface StoreCase {
  name: string;
  batch: number;
  jobs: number;
  kind: 'plain' | 'batch' | 'output' | 'failed';
}

/** Per job. */
export interface StepCost {
  cpuUs: number;
  commands: number;
  scriptUs: number;
  /** CPU time of this process: arguments, sockets, answers. */
  nodeUs: number;
  calls: Readonly<Record<string, number>>;
}

export interface RoundCost {
  steps: Readonly<Record<StepName, StepCost>>;
  bytesQueued: number;
  bytesFinished: number;
}

export const STEPS = ['enqueue', 'claim', 'settle', 'drain', 'trim'] as const;
export type StepName = (typeof STEPS)[number];

const POOL = 'default';
const SESSION = 'f3a9c7d2e1b84c56';
const WORKER = 'worker-1.example';
const random: Random = systemRandom;
const newUlid = createUlids({ clock: systemClock, random });

/** The path of `jobs` jobs on an emptied Redis, one call after the other, and what each step of it cost. */
export async function runRound(redis: Redis, { batch, jobs: count, kind }: StoreCase): Promise<RoundCost> {
  await redis.flushall('SYNC');
  const store = new RedisQueueStore({ redis, clock: systemClock, random });
  await store.reconcile(POOL, { session: SESSION, worker: WORKER, epoch: 1, held: [], last: true });
  const jobs = Array.from({ length: count }, () => aJob(kind));
  const pieces = chunks(jobs, batch);
  await warmUp(store);
  const empty = await usedMemory(redis);
  const enqueue = await measure(redis, count, async () => {
    for (const piece of pieces) {
      await store.enqueue(POOL, piece);
    }
  });
  const queued = await usedMemory(redis);
  // One half is claimed and then settled; the other in turn, as schedulers do it: then few jobs run at a time.
  const half = pieces.slice(0, Math.floor(pieces.length / 2)).flat().length;
  const want = { session: SESSION, worker: WORKER, epoch: 1, max: batch, free: batch };
  const claimed: ClaimedJob[] = [];
  const claim = await measure(redis, half, async () => {
    while (claimed.length < half) {
      claimed.push(...(await store.claim(POOL, [want])).jobs);
    }
  });
  const ends = chunks(claimed, batch).map((piece) => piece.map((job) => anEnd(job, kind)));
  const settle = await measure(redis, half, async () => {
    for (const piece of ends) {
      await store.settle(POOL, piece);
    }
  });
  const drain = await measure(redis, count - half, async () => {
    for (let left = count - half; left > 0;) {
      const { jobs: some } = await store.claim(POOL, [want]);
      await store.settle(
        POOL,
        some.map((job) => anEnd(job, kind)),
      );
      left -= some.length;
    }
  });
  const finished = await usedMemory(redis);
  await check(redis, kind === 'failed' ? 'failed' : 'succeeded', count);
  const trim = await measure(redis, count, async () => {
    await trimAll(store);
  });
  return {
    steps: { enqueue, claim, settle, drain, trim },
    bytesQueued: (queued - empty) / count,
    bytesFinished: (finished - empty) / count,
  };
}

/** So that the scripts are known, and that this process' code is compiled. */
async function warmUp(store: RedisQueueStore): Promise<void> {
  for (let i = 0; i < 20; i += 1) {
    await store.enqueue(POOL, [aJob('plain')]);
    const want = { session: SESSION, worker: WORKER, epoch: 1, max: 1, free: 1 };
    const { jobs } = await store.claim(POOL, [want]);
    await store.settle(
      POOL,
      jobs.map((job) => anEnd(job, 'plain')),
    );
  }
  await trimAll(store);
}

async function trimAll(store: RedisQueueStore): Promise<void> {
  let more = true;
  while (more) {
    ({ more } = await store.trim(POOL, { maxFinished: 0, maxOutputBytes: 0 }));
  }
}

async function check(redis: Redis, state: string, count: number): Promise<void> {
  const base = queueKeys().pool(POOL);
  const [final, running] = await Promise.all([redis.zcard(base + state), redis.get(`${base}running`)]);
  if (final !== count || Number(running) !== 0) {
    throw new Error(`${final} of ${count} jobs are ${state}, ${running} still run`);
  }
}

async function measure(redis: Redis, jobs: number, work: () => Promise<void>): Promise<StepCost> {
  const before = await readCounters(redis);
  const nodeBefore = process.cpuUsage();
  await work();
  const node = process.cpuUsage(nodeBefore);
  const after = await readCounters(redis);
  return {
    cpuUs: (after.cpuUs - before.cpuUs) / jobs,
    commands: (after.commands - before.commands) / jobs,
    scriptUs: (after.scriptUs - before.scriptUs) / jobs,
    nodeUs: (node.user + node.system) / jobs,
    calls: perJob(before, after, jobs),
  };
}

function perJob(before: RedisCounters, after: RedisCounters, jobs: number): Record<string, number> {
  const entries = [...after.calls].map(([name, n]): [string, number] => [
    name,
    (n - (before.calls.get(name) ?? 0)) / jobs,
  ]);
  return Object.fromEntries(entries.filter(([, n]) => n > 0).sort(([, a], [, b]) => b - a));
}

/** As the scheduler stores what somebody submits. */
function aJob(kind: StoreCase['kind']): NewJob {
  const name = 'thumbnail';
  const command = `./thumbnail --size 640 images/${randomBytes(6).toString('hex')}.jpg`;
  const spec = { name, command, labels: { customer: 'acme' } };
  return kind === 'batch'
    ? { ulid: newUlid(), spec: { ...spec, batchId: 'nightly' }, rule: { batchId: 'nightly' }, priority: 0 }
    : { ulid: newUlid(), spec, rule: {}, priority: 0 };
}

/** As `Finished` of a worker is told to the store. */
function anEnd({ ulid, attemptId, fence, number }: ClaimedJob, kind: StoreCase['kind']): Settlement {
  const key = { ulid, attemptId, fence };
  const isFailed = kind === 'failed';
  const data = Buffer.from(`640 x 480, 12345 bytes, written to thumbnails/${ulid}.jpg\n`);
  const written = kind === 'output' ? data.length : 0;
  return {
    ...key,
    by: SESSION,
    holder: { session: SESSION, worker: WORKER, number },
    outcome: isFailed ? 'failed' : 'succeeded',
    end: {
      exitCode: isFailed ? 1 : 0,
      signal: null,
      failure: isFailed ? { reason: 'exit_code', message: 'exit code 1' } : null,
      output: { stdoutBytes: written, stderrBytes: 0, truncated: false },
    },
    retryable: true,
    wasFrozen: false,
    output: kind === 'output' ? [{ ...key, number, stream: 'stdout', offset: 0, sequence: 0, data }] : [],
  };
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}
