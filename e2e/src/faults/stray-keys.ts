import type { Redis } from 'ioredis';

const POOL = 'orc:p:{default}:';
const PAGE = 1_000;

/** Records of jobs, and what lies beside them (spec, end, history, output), that no job of the list has. */
export async function strayKeys(redis: Redis, jobIds: readonly string[]): Promise<string[]> {
  const known = new Set(jobIds.map((id) => id.split(':')[1]));
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${POOL}*`, 'COUNT', PAGE);
    cursor = next;
    found.push(
      ...keys.filter((key) => {
        const [kind = '', ulid] = key.slice(POOL.length).split(':');
        return ['h', 'o'].includes(kind) && !known.has(ulid);
      }),
    );
  } while (cursor !== '0');
  for (const hash of ['jobs', 'specs', 'ends']) {
    const ulids = await redis.hkeys(POOL + hash);
    found.push(...ulids.filter((ulid) => !known.has(ulid)).map((ulid) => `${ulid} in ${POOL}${hash}`));
  }
  return found;
}
