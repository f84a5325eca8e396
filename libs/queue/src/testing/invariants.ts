import { FINAL_STATES, JOB_STATES, type JobRule } from '@orchestrator/core';
import type { Redis } from 'ioredis';

import { HISTORY_LIMIT, type QueueKeys } from '../keys.js';
import { parseRecord } from '../redis/reads/record-text.js';

type Hash = Record<string, string>;

/** Keys of a pool that belong to the pool itself. */
const OF_THE_POOL = new Set([
  'calls',
  'awaited',
  'unsure',
  'seq',
  'jobs',
  'specs',
  'ends',
  'gates',
  'dying',
  'orders',
  'created',
  'walk',
  'emptied',
  'outputs',
  'outputBytes',
  'running',
  'events',
]);
const COUNTED: readonly string[] = JOB_STATES.filter((state) => state !== 'blocked');
/** What runs has an owner instead. */
const INDEXES = COUNTED.filter((state) => state !== 'running');
const SCORE_FIELDS: Readonly<Record<string, string>> = { queued: 'place', scheduled: 'due' };

interface Snapshot {
  base: string;
  /** Names below the base. */
  names: string[];
  jobs: Map<string, Hash>;
  /** What lies beside the records, by key. */
  beside: Map<string, string[]>;
  indexes: Map<string, Map<string, number>>;
  owners: Map<string, Set<string>>;
  batches: Map<string, Hash>;
}

/**
 * What must hold between any two script calls: each job in exactly one state index, or owned when it runs, counted
 * exactly once in its batch, and nothing in the pool's slot that belongs to nobody.
 */
export async function assertQueueInvariants(redis: Redis, keys: QueueKeys, pool: string): Promise<void> {
  const snapshot = await take(redis, keys.pool(pool));
  const problems = [
    ...checkJobs(snapshot),
    ...checkIndexes(snapshot),
    ...checkOwners(snapshot, await redis.hkeys(`${snapshot.base}gates`), await redis.hkeys(`${snapshot.base}dying`)),
    ...checkRunning(snapshot, Number(await redis.get(`${snapshot.base}running`))),
    ...(await checkRecovery(redis, snapshot.base)),
    ...checkOrders(snapshot, await redis.hkeys(`${snapshot.base}orders`)),
    ...checkBatches(snapshot),
    ...checkBeside(snapshot, await redis.hgetall(`${snapshot.base}jobs`)),
    ...checkKeys(snapshot),
    ...(await checkLists(redis, snapshot)),
    ...(await checkOutputs(redis, snapshot)),
  ];
  if (problems.length > 0) {
    throw new Error(`pool "${pool}" breaks ${problems.length} invariants:\n${problems.slice(0, 20).join('\n')}`);
  }
}

async function take(redis: Redis, base: string): Promise<Snapshot> {
  const names: string[] = [];
  const pattern = base.replace(/[[\]?*\\]/g, '\\$&') + '*';
  for await (const found of redis.scanStream({ match: pattern, count: 1_000 })) {
    names.push(...(found as string[]).map((key) => key.slice(base.length)));
  }
  const below = (prefix: string): string[] => [...new Set(names.filter((name) => name.startsWith(prefix)))];
  const hashes = async (prefix: string): Promise<Map<string, Hash>> => {
    const found = below(prefix);
    const values = await Promise.all(found.map((name) => redis.hgetall(base + name)));
    return new Map(found.map((name, i) => [name.slice(prefix.length), values[i] as Hash]));
  };
  const indexes = new Map<string, Map<string, number>>();
  for (const state of INDEXES) {
    const flat = await redis.zrange(`${base}${state}`, '0', '-1', 'WITHSCORES');
    indexes.set(state, new Map(pairs(flat).map(([ulid, score]) => [ulid, Number(score)])));
  }
  const owners = new Map<string, Set<string>>();
  for (const name of below('s:')) {
    owners.set(name.slice(2), new Set(await redis.zrange(base + name, '0', '-1')));
  }
  const records = Object.entries(await redis.hgetall(`${base}jobs`));
  const jobs = new Map(records.map(([ulid, text]): [string, Hash] => [ulid, parseRecord(text) ?? { corrupt: text }]));
  const beside = new Map<string, string[]>();
  for (const name of ['specs', 'ends']) {
    beside.set(name, await redis.hkeys(base + name));
  }
  return { base, names: [...new Set(names)], jobs, beside, indexes, owners, batches: await hashes('b:') };
}

function checkJobs({ jobs, indexes }: Snapshot): string[] {
  return [...jobs].flatMap(([ulid, job]) => {
    const found = INDEXES.filter((state) => indexes.get(state)?.has(ulid));
    const state = found[0];
    if (job['state'] === 'running') {
      return found.length === 0 ? [] : [`job ${ulid} runs and is in the indexes [${found.join(', ')}]`];
    }
    if (state === undefined || found.length !== 1 || state !== job['state']) {
      return [`job ${ulid} is ${job['state']} and in the indexes [${found.join(', ')}]`];
    }
    const score = indexes.get(state)?.get(ulid);
    const field = SCORE_FIELDS[state];
    const problems = [];
    if (field !== undefined && Number(job[field]) !== score) {
      problems.push(`job ${ulid} is ${job['state']} with ${field} ${job[field]} and score ${score}`);
    }
    if (isFinal(state) && !(Number(job['finished']) > 0 && (score ?? 0) >= Number(job['finished']))) {
      problems.push(`job ${ulid} finished at ${job['finished']} and expires at ${score}`);
    }
    return problems;
  });
}

function checkIndexes({ jobs, indexes }: Snapshot): string[] {
  return [...indexes].flatMap(([state, members]) =>
    [...members.keys()].filter((ulid) => !jobs.has(ulid)).map((ulid) => `${ulid} is in ${state} and has no record`),
  );
}

function checkOwners({ jobs, owners }: Snapshot, gates: string[], dying: string[]): string[] {
  const problems: string[] = [];
  for (const [session, ulids] of owners) {
    if (!gates.includes(session) && !dying.includes(session)) {
      problems.push(`session ${session} owns ${ulids.size} jobs, has no gate and is not dying`);
    }
    for (const ulid of ulids) {
      const job = jobs.get(ulid);
      if (job?.['state'] !== 'running' || job['session'] !== session) {
        problems.push(`session ${session} owns ${ulid}, which is ${job?.['state']} of session ${job?.['session']}`);
      }
    }
  }
  for (const [ulid, job] of jobs) {
    if (job['state'] === 'running') {
      if (!owners.get(job['session'] ?? '')?.has(ulid)) {
        problems.push(`job ${ulid} runs and session ${job['session']} does not own it`);
      }
      if (!job['attempt'] || !(Number(job['fence']) > 0) || !(Number(job['starts']) > 0) || !job['worker']) {
        problems.push(`job ${ulid} runs as ${JSON.stringify(job)}`);
      }
    }
  }
  return problems;
}

function checkRunning({ jobs }: Snapshot, counted: number): string[] {
  const run = [...jobs.values()].filter((job) => job['state'] === 'running').length;
  return run === counted ? [] : [`${run} jobs run, ${counted} are counted`];
}

/** Who is awaited is not dead, and is awaited by something: a recovery that has begun, or one that has to be. */
async function checkRecovery(redis: Redis, base: string): Promise<string[]> {
  const [schema, server, recovering] = await redis.hmget(`${base}calls`, 'schema', 'server', 'recovering');
  const awaited = await redis.smembers(`${base}awaited`);
  const unsure = await redis.scard(`${base}unsure`);
  const dying = awaited.length === 0 ? [] : await redis.hkeys(`${base}dying`);
  const present = /run_id:(\w+)/.exec(await redis.info('server'))?.[1];
  const isExpected = recovering !== null || server !== present;
  return [
    ...(schema !== null && server === null ? ['the pool remembers no server'] : []),
    ...awaited.filter((session) => dying.includes(session)).map((session) => `${session} is dying and awaited`),
    ...(isExpected ? [] : awaited.map((session) => `${session} is awaited, and there is no recovery`)),
    ...(isExpected || unsure === 0 ? [] : [`${unsure} jobs are unsure, and there is no recovery`]),
  ];
}

function checkOrders({ jobs }: Snapshot, orders: string[]): string[] {
  return orders
    .filter((ulid) => jobs.get(ulid)?.['state'] !== 'running')
    .map((ulid) => `an order waits for ${ulid}, which is ${jobs.get(ulid)?.['state']}`);
}

function checkBatches({ jobs, batches }: Snapshot): string[] {
  const expected = new Map<string, Hash>();
  for (const job of jobs.values()) {
    const { batchId } = JSON.parse(job['rule'] || '{}') as JobRule;
    if (batchId !== undefined) {
      const counts = expected.get(batchId) ?? {};
      for (const name of [job['state'] as string, 'kept']) {
        counts[name] = String(Number(counts[name] ?? 0) + 1);
      }
      expected.set(batchId, counts);
    }
  }
  // What was trimmed stays counted under its final state; `kept` and the others are exact.
  return [...new Set([...expected.keys(), ...batches.keys()])].flatMap((batch) =>
    [...COUNTED, 'kept'].flatMap((name) => {
      const want = Number(expected.get(batch)?.[name] ?? 0);
      const got = Number(batches.get(batch)?.[name] ?? 0);
      return got === want || (isFinal(name) && got > want)
        ? []
        : [`batch ${batch} counts ${got} ${name} instead of ${want}`];
    }),
  );
}

/** Each job has its spec, those that ended with more than a letter says have that, and nobody else has either. */
function checkBeside({ jobs, beside }: Snapshot, texts: Hash): string[] {
  const specs = new Set(beside.get('specs'));
  const ends = new Set(beside.get('ends'));
  const says = (ulid: string): boolean => /\n[a-z]+ \d+e\n$/.test(texts[ulid] ?? '');
  return [
    ...[...jobs.keys()].filter((ulid) => !specs.has(ulid)).map((ulid) => `job ${ulid} has no spec`),
    ...[...specs].filter((ulid) => !jobs.has(ulid)).map((ulid) => `there is a spec of ${ulid} and no record`),
    ...[...new Set([...jobs.keys(), ...ends])]
      .filter((ulid) => ends.has(ulid) !== says(ulid))
      .map((ulid) => `job ${ulid} has ${ends.has(ulid) ? 'an' : 'no'} end beside the record "${texts[ulid]}"`),
  ];
}

function checkKeys({ names, jobs }: Snapshot): string[] {
  return names
    .filter((name) => {
      const owner = /^[ho]:([^:]+)/.exec(name)?.[1];
      const known = INDEXES.includes(name) || OF_THE_POOL.has(name) || name.startsWith('s:') || name.startsWith('b:');
      return owner === undefined ? !known : !jobs.has(owner);
    })
    .map((name) => `key ${name} belongs to nobody`);
}

async function checkLists(redis: Redis, { base, jobs, names }: Snapshot): Promise<string[]> {
  const problems: string[] = [];
  const entries = await redis.xrange(`${base}created`, '-', '+');
  const created = new Set(entries.flatMap(([, fields]) => (fields[1] as string).split(' ')));
  problems.push(...[...jobs.keys()].filter((ulid) => !created.has(ulid)).map((ulid) => `${ulid} is not in created`));
  for (const name of names.filter((one) => one.startsWith('h:'))) {
    const length = await redis.llen(base + name);
    if (length > HISTORY_LIMIT) {
      problems.push(`${name} has ${length} entries`);
    }
  }
  return problems;
}

async function checkOutputs(redis: Redis, { base, names }: Snapshot): Promise<string[]> {
  const listed = new Set(await redis.zrange(`${base}outputs`, '0', '-1'));
  const found = new Set(names.flatMap((name) => /^o:([^:]+:\d+)/.exec(name)?.[1] ?? []));
  let bytes = 0;
  for (const output of found) {
    bytes += Number((await redis.hget(`${base}o:${output}`, 'bytes')) ?? 0);
  }
  const total = Number((await redis.get(`${base}outputBytes`)) ?? 0);
  return [
    ...[...listed].filter((one) => !found.has(one)).map((one) => `output ${one} is listed and missing`),
    ...[...found].filter((one) => !listed.has(one)).map((one) => `output ${one} is not listed`),
    ...(total === bytes ? [] : [`outputBytes is ${total} instead of ${bytes}`]),
  ];
}

function isFinal(state: string): boolean {
  return (FINAL_STATES as readonly string[]).includes(state);
}

function pairs(flat: string[]): [string, string][] {
  return flat.flatMap((item, i) => (i % 2 === 0 ? [[item, flat[i + 1] as string] as [string, string]] : []));
}
