import { serve } from '../ipc/serve.js';
import { sharedNowMs } from '../now.js';
import { HttpPool } from './http-pool.js';
import type { BulkLoad, BulkLoaded, JobShape, PacedLoad, PacedLoaded, SingleLoad, SingleLoaded } from './loads.js';
import { steady } from './steady.js';
import { toSubmission } from './submission.js';

// The process that makes the load, alone with its event loop.

const JOBS = '/api/v1/jobs';
const RESULT_WITHIN_S = 60;

async function bulk({ url, from, count, size, inFlight, shape }: BulkLoad): Promise<BulkLoaded> {
  const starts = Array.from({ length: Math.ceil(count / size) }, (_, index) => from + index * size);
  const bodies = starts.map((start) => batchBody(shape, start, Math.min(size, from + count - start)));
  const batches: BulkLoaded['batches'] = [];
  const timing = await timed(url, inFlight, bodies.length, async (pool, index) => {
    const { body } = await pool.request('POST', `${JOBS}/batch`, 201, bodies[index]);
    // The ids of thousands of jobs are of no use here, and reading them is dear.
    const id = /"batchId":"([^"]+)"/.exec(body)?.[1];
    if (id === undefined) {
      throw new Error(`a batch was answered without its id: ${body.slice(0, 200)}`);
    }
    batches.push({ id, total: Math.min(size, count - index * size) });
  });
  return { ...timing, batches };
}

async function single({ url, from, count, inFlight, shape }: SingleLoad): Promise<SingleLoaded> {
  const bodies = Array.from({ length: count }, (_, index) => JSON.stringify(toSubmission(shape, from + index)));
  return timed(url, inFlight, count, async (pool, index) => {
    await pool.request('POST', JOBS, 201, bodies[index]);
  });
}

/** Sends at the moments that the rate says, whatever is answered. */
async function paced({ url, from, count, perSecond, shape, results }: PacedLoad): Promise<PacedLoaded> {
  const pool = new HttpPool(url);
  const [sentMs, acceptedMs, resultMs] = [0, 0, 0].map(() => new Array<number>(count).fill(NaN));
  const one = async (index: number): Promise<void> => {
    set(sentMs, index);
    const { body } = await pool.request('POST', JOBS, 201, JSON.stringify(toSubmission(shape, from + index)));
    set(acceptedMs, index);
    if (!results) {
      return;
    }
    const { id } = JSON.parse(body) as { id: string };
    const answer = await pool.request('GET', `${JOBS}/${id}?wait=${RESULT_WITHIN_S}`, 200);
    set(resultMs, index);
    const { state } = JSON.parse(answer.body) as { state: string };
    if (state !== 'succeeded') {
      throw new Error(`job ${id} is ${state}, not succeeded, after ${RESULT_WITHIN_S} s`);
    }
  };
  const startMs = sharedNowMs();
  const jobs: Promise<void>[] = [];
  while (jobs.length < count) {
    const due = Math.min(count, 1 + Math.floor(((sharedNowMs() - startMs) / 1_000) * perSecond));
    while (jobs.length < due) {
      jobs.push(one(jobs.length));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(jobs);
  pool.close();
  return { sentMs: sentMs ?? [], acceptedMs: acceptedMs ?? [], resultMs: resultMs ?? [] };
}

async function timed(
  url: string,
  inFlight: number,
  count: number,
  send: (pool: HttpPool, index: number) => Promise<void>,
): Promise<SingleLoaded> {
  const pool = new HttpPool(url);
  let next = 0;
  const startWallMs = Date.now();
  const cpu = process.cpuUsage();
  const since = performance.now();
  const lane = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await send(pool, next - 1);
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, lane));
  const ms = performance.now() - since;
  const { user, system } = process.cpuUsage(cpu);
  pool.close();
  return { startWallMs, ms, cpuUs: user + system };
}

function batchBody(shape: JobShape, start: number, length: number): string {
  return JSON.stringify({ jobs: Array.from({ length }, (_, index) => toSubmission(shape, start + index)) });
}

function set(list: number[] | undefined, index: number): void {
  if (list !== undefined) {
    list[index] = sharedNowMs();
  }
}

serve({ bulk, single, paced, steady }, async () => undefined);
