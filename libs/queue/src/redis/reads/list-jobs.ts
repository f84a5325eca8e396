import type { Job, JobRule } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';

import { CorruptRecordError } from '../../errors.js';
import { type JobFilter, type JobPage, MAX_BATCH, MAX_PAGE_BYTES, MAX_SCAN, type PageRequest } from '../../store.js';
import { type BoundedRead, type CreatedJob, CreatedWalk } from './created-walk.js';
import { getJobs } from './get-jobs.js';
import { formatCursor, parseCursor } from './page-cursor.js';
import { readBytes, type ReadablePiece, toPieces } from './record-bytes.js';
import { parseObject } from './record-fields.js';
import { parseRecord } from './record-text.js';

export interface ListJobsParams {
  redis: RedisClient;
  pools: readonly { name: string; base: string }[];
  filter: JobFilter;
  page: PageRequest;
  /** Gives each remote call its time limit. */
  read: BoundedRead;
  /** Called for a record that cannot be read; it is left out, so that one bad one does not hide all others. */
  onCorrupt(error: CorruptRecordError): void;
}

/** Newest first. Looks at no more than `MAX_SCAN` jobs and reads about `MAX_PAGE_BYTES`. @throws {InvalidCursorError} */
export async function listJobs(params: ListJobsParams): Promise<JobPage> {
  const { page } = params;
  const after = page.cursor === undefined ? undefined : parseCursor(page.cursor);
  const walk = new CreatedWalk({ redis: params.redis, pools: params.pools, read: params.read, after });
  const jobs: Job[] = [];
  let looked = 0;
  let readSoFar = 0;
  let lastLooked: CreatedJob | undefined;
  while (jobs.length < page.limit && looked < MAX_SCAN) {
    // At no more than are wanted; with a filter most may not match: then at as many again as were looked at so far.
    const wanted = Math.min(Math.max(page.limit - jobs.length, isSelective(params.filter) ? looked : 0), MAX_BATCH);
    const size = Math.min(wanted, MAX_SCAN - looked);
    const created = await walk.next(size);
    looked += created.length;
    for (const piece of await selectPieces(params, created)) {
      if (lastLooked && readSoFar > 0 && readSoFar + piece.bytes > MAX_PAGE_BYTES) {
        return { jobs, nextCursor: formatCursor(lastLooked) };
      }
      readSoFar += piece.bytes;
      for (const { at, job } of await readMatches(params, piece)) {
        jobs.push(job);
        if (jobs.length === page.limit) {
          return { jobs, nextCursor: await cursorAfter(at, created, walk) };
        }
      }
      lastLooked = piece.jobs.at(-1);
    }
    if (created.length < size) {
      return { jobs, nextCursor: undefined };
    }
    const last = created.at(-1);
    if (last && looked >= MAX_SCAN) {
      return { jobs, nextCursor: await cursorAfter(last, created, walk) };
    }
  }
  return { jobs, nextCursor: undefined };
}

/** None when nothing comes after it: only a missing cursor means the end. */
async function cursorAfter(at: CreatedJob, created: CreatedJob[], walk: CreatedWalk): Promise<string | undefined> {
  const isLast = at === created.at(-1) && (await walk.next(1)).length === 0;
  return isLast ? undefined : formatCursor(at);
}

function isSelective({ states, name, batchId, labels }: JobFilter): boolean {
  return states !== undefined || name !== undefined || batchId !== undefined || labels !== undefined;
}

/** What is worth reading as a whole, in the order of `created`: cheap fields are looked at first. */
async function selectPieces(params: ListJobsParams, created: readonly CreatedJob[]): Promise<ReadablePiece[]> {
  const bytes = new Map<CreatedJob, number>();
  for (const pool of params.pools) {
    const own = created.filter((job) => job.pool === pool.name);
    const candidates = await preselect(params, pool.base, own);
    for (const [job, size] of await readBytes(params.redis, pool.base, candidates, params.read)) {
      bytes.set(job, size);
    }
  }
  const candidates = created.filter((job) => bytes.has(job));
  return toPieces(candidates, (job) => bytes.get(job) ?? 0);
}

/** What matches, in the order of the piece. */
async function readMatches(params: ListJobsParams, piece: ReadablePiece): Promise<{ at: CreatedJob; job: Job }[]> {
  const found = new Map<CreatedJob, Job>();
  for (const pool of params.pools) {
    const own = piece.jobs.filter((job) => job.pool === pool.name);
    for (const [at, job] of own.length === 0 ? [] : await readContained(params, pool, own)) {
      if (matches(job, params.filter)) {
        found.set(at, job);
      }
    }
  }
  return piece.jobs.flatMap((at) => {
    const job = found.get(at);
    return job ? [{ at, job }] : [];
  });
}

async function preselect(params: ListJobsParams, base: string, created: CreatedJob[]): Promise<CreatedJob[]> {
  const { states, batchId } = params.filter;
  if (created.length === 0 || (states === undefined && batchId === undefined)) {
    return created;
  }
  const ulids = created.map(({ ulid }) => ulid);
  const records = await params.read('reading the states of jobs', () => params.redis.hmget(`${base}jobs`, ...ulids));
  return created.filter((_, i) => {
    const { state, rule } = parseRecord(records[i] ?? '') ?? {};
    const isWanted = states === undefined || states.some((wanted) => wanted === state);
    const batch = (parseObject(rule ?? '') as JobRule | undefined)?.batchId;
    return isWanted && (batchId === undefined || batch === batchId);
  });
}

/** All at once; one by one where one of them cannot be read. */
async function readContained(
  params: ListJobsParams,
  pool: { name: string; base: string },
  created: readonly CreatedJob[],
): Promise<[CreatedJob, Job][]> {
  const read = async (some: readonly CreatedJob[]): Promise<[CreatedJob, Job][]> => {
    const ulids = some.map(({ ulid }) => ulid);
    const jobs = await params.read('reading jobs', () => getJobs(params.redis, pool.base, pool.name, ulids));
    return some.flatMap((at, i): [CreatedJob, Job][] => {
      const job = jobs[i];
      return job ? [[at, job]] : [];
    });
  };
  try {
    return await read(created);
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) {
      throw error;
    }
    if (created.length === 1) {
      params.onCorrupt(error);
      return [];
    }
    const parts = await Promise.all(created.map((one) => readContained(params, pool, [one])));
    return parts.flat();
  }
}

function matches(job: Job, { states, name, batchId, labels }: JobFilter): boolean {
  return (
    (states === undefined || states.includes(job.state)) &&
    (name === undefined || job.spec.name === name) &&
    (batchId === undefined || job.rule.batchId === batchId) &&
    Object.entries(labels ?? {}).every(([key, value]) => job.spec.labels?.[key] === value)
  );
}
