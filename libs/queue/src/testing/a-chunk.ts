import type { ClaimedJob, OutputChunk } from '../store.js';

/** Output of an attempt, from offset 0 of stdout unless told otherwise. */
export function aChunk(
  job: Pick<ClaimedJob, 'ulid' | 'attemptId' | 'fence' | 'number'>,
  data: string | Buffer,
  overrides: Partial<OutputChunk> = {},
): OutputChunk {
  const { ulid, attemptId, fence, number } = job;
  const bytes = Buffer.from(data);
  return { ulid, attemptId, fence, number, stream: 'stdout', offset: 0, sequence: 1, data: bytes, ...overrides };
}
