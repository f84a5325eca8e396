import type { RedisClient } from '@orchestrator/redis';

import type { BoundedRead, CreatedJob } from './created-walk.js';
import { pipelined } from './pipelined.js';

/** Of records that one call reads, roughly: more would hold up everything else in this process for too long. */
export const MAX_CALL_BYTES = 2 * 1024 * 1024;

/** Jobs that follow each other, as many as one call may read. */
export interface ReadablePiece {
  jobs: CreatedJob[];
  bytes: number;
}

/** What may be large of each record: what is to be run with its data and stdin, and the result. */
export async function readBytes(
  redis: RedisClient,
  base: string,
  jobs: readonly CreatedJob[],
  read: BoundedRead,
): Promise<Map<CreatedJob, number>> {
  if (jobs.length === 0) {
    return new Map();
  }
  const lengths = (await read('reading the sizes of jobs', () =>
    pipelined(redis, (pipeline) => {
      for (const { ulid } of jobs) {
        pipeline.hstrlen(`${base}specs`, ulid).hstrlen(`${base}ends`, ulid);
      }
    }),
  )) as number[];
  return new Map(jobs.map((job, i) => [job, (lengths[2 * i] ?? 0) + (lengths[2 * i + 1] ?? 0)]));
}

/** Cuts them up by their sizes; one that is larger than `MAX_CALL_BYTES` stands alone. */
export function toPieces(jobs: readonly CreatedJob[], bytesOf: (job: CreatedJob) => number): ReadablePiece[] {
  const pieces: ReadablePiece[] = [];
  for (const job of jobs) {
    const bytes = bytesOf(job);
    const last = pieces.at(-1);
    if (last === undefined || last.bytes + bytes > MAX_CALL_BYTES) {
      pieces.push({ jobs: [job], bytes });
    } else {
      last.jobs.push(job);
      last.bytes += bytes;
    }
  }
  return pieces;
}
