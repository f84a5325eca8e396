import type { RedisClient } from '@orchestrator/redis';

import { CorruptRecordError } from '../../errors.js';
import type { OutputEnds, StoredOutput } from '../../store.js';

type Chunk = StoredOutput['chunks'][number];

const STREAMS = { o: 'stdout', e: 'stderr' } as const;
const HEADER_MAX_BYTES = 48;

/**
 * The chunks of one start, in the order in which they came. What is missing between the offsets of a stream was cut out
 * to keep to the cap. Undefined when nothing is stored (any more).
 */
export async function readOutput(
  redis: RedisClient,
  base: string,
  ulid: string,
  start: number,
): Promise<StoredOutput | undefined> {
  const key = `${base}o:${ulid}:${start}`;
  const answers = await Promise.all(
    ['head', 'stdout', 'stderr'].map((list) => redis.lrangeBuffer(`${key}:${list}`, 0, -1)),
  );
  const chunks = answers.flat().map((entry) => parseChunk(key, entry));
  chunks.sort((a, b) => a.sequence - b.sequence || a.offset - b.offset);
  return chunks.length === 0 ? undefined : { chunks };
}

/** Without a byte of it. Zero where nothing is stored (any more). */
export async function readOutputEnds(
  redis: RedisClient,
  base: string,
  ulid: string,
  start: number,
): Promise<OutputEnds> {
  const [stdout, stderr] = await redis.hmget(`${base}o:${ulid}:${start}`, 'stdout', 'stderr');
  return { stdout: Number(stdout ?? 0), stderr: Number(stderr ?? 0) };
}

/** An entry as includes/output.lua writes it: "o 1024 7\n" and the bytes. */
function parseChunk(key: string, entry: Buffer): Chunk {
  const end = entry.subarray(0, HEADER_MAX_BYTES).indexOf('\n');
  const match = /^([oe]) (\d+) (\d+)$/.exec(entry.toString('latin1', 0, Math.max(end, 0)));
  if (!match) {
    throw new CorruptRecordError(`output ${key} has an entry without its header`);
  }
  const [, stream, offset, sequence] = match;
  return {
    stream: STREAMS[stream as keyof typeof STREAMS],
    offset: Number(offset),
    sequence: Number(sequence),
    data: entry.subarray(end + 1),
  };
}
