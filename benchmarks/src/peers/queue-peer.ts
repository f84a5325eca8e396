import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { serve } from '../ipc/serve.js';
import { type JobData, jobData } from '../job-data.js';
import { Ledger } from '../ledger.js';
import { sharedNowMs } from '../now.js';
import { BeeQueueQueue } from './bee-queue-queue.js';
import { BullMqQueue } from './bullmq-queue.js';
import type { PacedPeer, PeerFill, PeerRun, PeerTask } from './peer-asks.js';
import type { PeerQueue, Work } from './peer-queue.js';

// A peer in a process of its own: one queue for a round, filled, drained and looked at as it is asked.

const [, , kind = '', redisPort = ''] = process.argv;
const ledger = new Ledger();
let queue: PeerQueue | undefined;
let names = 0;

function open(events: boolean, keep = false): PeerQueue {
  names += 1;
  const params = { redisPort: Number(redisPort), name: `bench-${names}`, events, keep };
  return kind === 'bullmq' ? new BullMqQueue(params) : new BeeQueueQueue(params);
}

/** A new queue with jobs that nobody works on yet. */
async function fill({ count, keep }: PeerFill): Promise<PeerRun> {
  await queue?.close();
  ledger.reset();
  const filled = (queue = open(false, keep));
  return timed(() => filled.fill(jobs(count)));
}

/** Until the last one is recorded. */
async function drain({ count, concurrency, task }: PeerTask): Promise<PeerRun> {
  const drained = queue ?? open(false);
  return timed(() => completedAll(count, (completed) => drained.work(workOf(task), concurrency, completed)));
}

/** With a worker that stands ready, from the first submission to the last record. */
async function fillAndDrain({ count, concurrency, task }: PeerTask): Promise<PeerRun> {
  await queue?.close();
  ledger.reset();
  const used = (queue = open(false));
  let completed: () => void = () => undefined;
  await used.work(workOf(task), concurrency, () => completed());
  return timed(() =>
    completedAll(count, async (each) => {
      completed = () => each({ i: 0, pad: '' });
      await used.fill(jobs(count));
    }),
  );
}

async function paced({ count, perSecond, concurrency }: PacedPeer): Promise<{ sentMs: number[]; resultMs: number[] }> {
  await queue?.close();
  ledger.reset();
  const used = (queue = open(true));
  const [sentMs, resultMs] = [new Array<number>(count).fill(NaN), new Array<number>(count).fill(NaN)];
  await completedAll(count, async (completed) => {
    await used.work(workOf(undefined), concurrency, (data) => {
      resultMs[data.i] = sharedNowMs();
      completed(data);
    });
    const startMs = sharedNowMs();
    const saved: Promise<void>[] = [];
    while (saved.length < count) {
      const due = Math.min(count, 1 + Math.floor(((sharedNowMs() - startMs) / 1_000) * perSecond));
      while (saved.length < due) {
        sentMs[saved.length] = sharedNowMs();
        saved.push(used.add(jobData(saved.length)));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(saved);
  });
  return { sentMs, resultMs };
}

/** What is done for a job; its number is what BullMQ's events need as its result. */
function workOf(task: PeerTask['task']): Work {
  if (task === undefined) {
    return async ({ i }) => {
      ledger.started(i);
      return i as unknown as void;
    };
  }
  const [file = '', ...args] = task.argv;
  return async ({ i }) => {
    ledger.started(i);
    const child = spawn(file, [...args, ...(task.marks === undefined ? [] : [`${task.marks}/${i}`])], {
      stdio: 'ignore',
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) {
      throw new Error(`${file} ended with ${code}`);
    }
  };
}

function completedAll(count: number, start: (completed: (data: JobData) => void) => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = count;
    start(() => {
      left -= 1;
      if (left === 0) {
        resolve();
      }
    }).catch(reject);
  });
}

function jobs(count: number): JobData[] {
  return Array.from({ length: count }, (_, index) => jobData(index));
}

async function timed(work: () => Promise<void>): Promise<PeerRun> {
  const cpu = process.cpuUsage();
  const since = performance.now();
  await work();
  const ms = performance.now() - since;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuUs: user + system };
}

serve(
  {
    fill,
    drain,
    fillAndDrain,
    paced,
    ledger: async () => ledger.page(),
    leftovers: async () => queue?.leftovers() ?? [],
  },
  async () => queue?.close(),
);
