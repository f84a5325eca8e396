import type { Redis } from 'ioredis';

import { HttpPool } from '../load/http-pool.js';
import { toSubmission } from '../load/submission.js';
import { type CallCost, measureCalls } from './measure-calls.js';

const TIMES = 200;
/** Of what looks at up to 10,000 records. */
const FEW_TIMES = 10;
const JOBS = '/api/v1/jobs';
const NOOP = { kind: 'handler', name: 'noop' } as const;

/** What users ask, on a queue that is as long as it is. `ids`: some that wait, from all of the queue. */
export async function measureApi(redis: Redis, url: string, ids: readonly string[]): Promise<Record<string, CallCost>> {
  const pool = new HttpPool(url);
  const get = (path: string) => (): Promise<unknown> => pool.request('GET', `${JOBS}${path}`, 200);
  try {
    const post = await measureCalls(redis, TIMES, (index) =>
      pool.request('POST', JOBS, 201, JSON.stringify(toSubmission(NOOP, index))),
    );
    const getJob = await measureCalls(redis, TIMES, (index) =>
      pool.request('GET', `${JOBS}/${ids[index % ids.length]}`, 200),
    );
    const list = await measureCalls(redis, TIMES, get('?limit=50'));
    const listQueued = await measureCalls(redis, TIMES, get('?limit=50&state=queued'));
    const listFailed = await measureCalls(redis, FEW_TIMES, get('?limit=50&state=failed'));
    const cancel = await measureCalls(redis, Math.min(TIMES, ids.length), (index) =>
      pool.request('POST', `${JOBS}/${ids[index]}/cancel`, 202),
    );
    return { post, getJob, list, listQueued, listFailed, cancel };
  } finally {
    pool.close();
  }
}

export const POSTED = TIMES;
