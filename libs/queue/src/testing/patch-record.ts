import type { Redis } from 'ioredis';

import { END_LETTERS } from '../keys.js';
import { parseRecord } from '../redis/reads/record-text.js';

const RARE = ['priority', 'failures', 'losses', 'bytes', 'due', 'why', 'cancel', 'op', 'closed', 'outputs'];

/** Writes over fields of a job's record, as only a test may; `spec` and `end` (JSON) are those beside it. */
export async function patchRecord(
  redis: Redis,
  base: string,
  ulid: string,
  patch: Readonly<Record<string, string | number>>,
): Promise<void> {
  const text = (await redis.hget(`${base}jobs`, ulid)) ?? '';
  const { spec, end, ...fields } = Object.fromEntries(
    Object.entries(patch).map(([name, value]) => [name, String(value)]),
  );
  if (spec !== undefined) {
    await redis.hset(`${base}specs`, ulid, spec);
  }
  if (end !== undefined) {
    await redis.hset(`${base}ends`, ulid, end);
  }
  const before = parseRecord(text);
  if (before === undefined) {
    throw new Error(`${ulid} has the record "${text}"`);
  }
  await redis.hset(`${base}jobs`, ulid, toText({ ...before, ...fields }));
}

function toText(job: Readonly<Record<string, string>>): string {
  const letter = Object.entries(END_LETTERS).find(([, json]) => json === job['end'])?.[0] ?? 'e';
  const value = (name: string): string => job[name] || '-';
  const count = (name: string): string => job[name] || '0';
  const wasHeld = ['attempt', 'fence', 'starts'].some((name) => job[name]);
  const rare = RARE.flatMap((name) => (job[name] && job[name] !== '0' ? [`${name}=${job[name]}`] : [])).join(' ');
  const holder = [
    value('attempt'),
    count('fence'),
    value('session'),
    value('worker'),
    count('epoch'),
    count('starts'),
    value('started'),
  ];
  const isHeld = wasHeld || job['state'] === 'running';
  return [
    `${value('place')} ${value('created')} ${value('queued')}|${rare}|${job['rule'] ?? ''}\n`,
    isHeld ? `running ${holder.join(' ')}\n` : '',
    job['state'] === (isHeld ? 'running' : 'queued')
      ? ''
      : `${job['state']}${job['finished'] ? ` ${job['finished']}${letter}` : ''}\n`,
  ].join('');
}
