import { JOB_STATES } from '@orchestrator/core';

import { CorruptRecordError, InvalidCursorError } from '../../errors.js';
import { type JobFilter, type JobPage, MAX_PAGE_BYTES, MAX_SCAN, type NewJob } from '../../store.js';
import { aJob, someJobs } from '../../testing/a-job.js';
import { type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';

describe('reads of jobs', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
  });
  afterEach(() => q.assertInvariants());
  afterAll(() => bench.stop());

  const ids = (page: JobPage): string[] => page.jobs.map((job) => job.id);
  /** All pages, each checked for its length. */
  const listAll = async (filter: JobFilter, limit: number): Promise<string[]> => {
    const found: string[] = [];
    for (let cursor: string | undefined, pages = 0; ; pages += 1) {
      const page: JobPage = await q.store.listJobs(filter, { limit, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.jobs.length).toBeLessThanOrEqual(limit);
      expect(pages).toBeLessThan(1_000);
      found.push(...ids(page));
      if (page.nextCursor === undefined) {
        return found;
      }
      cursor = page.nextCursor;
    }
  };

  describe('getJobs', () => {
    it('answers in the order asked, undefined for what is not there', async () => {
      const [first = '', second = ''] = await q.add(aJob({ spec: { name: 'one' } }), aJob({ spec: { name: 'two' } }));

      const jobs = await q.store.getJobs(q.pool, [second, 'unknown', first]);

      expect(jobs.map((job) => job?.spec.name)).toEqual(['two', undefined, 'one']);
      expect(await q.store.getJobs(q.pool, [])).toEqual([]);
    });

    it('rejects with the name of a record that is damaged', async () => {
      const [ulid = ''] = await q.add(aJob());
      const spec = await q.redis.hget(`${q.base}specs`, ulid);
      await q.patch(ulid, { spec: '{"na' });

      await expect(q.store.getJobs(q.pool, [ulid])).rejects.toThrow(CorruptRecordError);
      await expect(q.store.getJobs(q.pool, [ulid])).rejects.toThrow(ulid);

      await q.patch(ulid, { spec: spec ?? '' });
    });
  });

  describe('owned', () => {
    it('answers what each session owns, in order of claim, and nothing for a stranger', async () => {
      const first = await q.run(aJob(), 'session-a');
      const other = await q.run(aJob(), 'session-b');
      const second = await q.run(aJob(), 'session-a');

      const owned = await q.store.owned(q.pool, ['session-a', 'session-b', 'stranger']);

      expect(Object.fromEntries(owned)).toEqual({
        'session-a': [first.ulid, second.ulid],
        'session-b': [other.ulid],
        stranger: [],
      });
      expect(await q.store.owned(q.pool, [])).toEqual(new Map());
    });
  });

  describe('listJobs', () => {
    it('lists the newest first, over pages of any length', async () => {
      const pieces = [someJobs(3), someJobs(1), someJobs(5)];
      for (const piece of pieces) {
        await q.add(...piece);
      }
      const expected = pieces
        .flat()
        .reverse()
        .map((job) => `${q.pool}:${job.ulid}`);

      for (const limit of [1, 2, 3, 4, 9, 10]) {
        expect(await listAll({}, limit)).toEqual(expected);
      }
    });

    it('ends with no cursor exactly when nothing comes after', async () => {
      await q.add(...someJobs(4));

      expect((await q.store.listJobs({}, { limit: 4 })).nextCursor).toBeUndefined();
      expect((await q.store.listJobs({}, { limit: 3 })).nextCursor).toBeDefined();
      expect(await q.store.listJobs({ pool: 'empty' }, { limit: 3 })).toEqual({ jobs: [], nextCursor: undefined });
    });

    it('merges pools, also within one millisecond', async () => {
      const rounds = new Map<string, number>();
      const createdAt = new Map<string, number>();
      for (let i = 0; i < 30; i += 1) {
        await Promise.all(
          ['a', 'b', 'c'].map(async (pool) => {
            const jobs = someJobs(1 + (i % 3));
            const replies = await q.store.enqueue(pool, jobs);
            replies.forEach((reply) => {
              rounds.set(`${pool}:${reply.ulid}`, i);
              createdAt.set(`${pool}:${reply.ulid}`, reply.createdAt);
            });
          }),
        );
      }

      for (const limit of [1, 7, 50]) {
        const found = await listAll({}, limit);
        expect(found).toHaveLength(rounds.size);
        expect(new Set(found)).toEqual(new Set(rounds.keys()));
        // Newest first; of rounds within one millisecond (of a clock that Redis reads now and then) pools come one after the other.
        const isLater = (id: string, before: string): boolean =>
          (rounds.get(id) ?? NaN) > (rounds.get(before) ?? NaN) + 3 &&
          (createdAt.get(id) ?? NaN) > (createdAt.get(before) ?? NaN) + 1;
        expect(found.filter((id, i) => i > 0 && isLater(id, found[i - 1] as string))).toEqual([]);
      }
    });

    it('does not repeat or skip anything when jobs arrive between pages', async () => {
      const before = someJobs(6);
      await q.add(...before);
      const first = await q.store.listJobs({}, { limit: 2 });
      await q.add(...someJobs(4));

      const rest = await q.store.listJobs({}, { limit: 10, cursor: first.nextCursor ?? '' });

      expect([...ids(first), ...ids(rest)]).toEqual(before.reverse().map((job) => `${q.pool}:${job.ulid}`));
    });

    it.each([
      ['state', { states: ['cancelled'] }],
      ['name', { name: 'wanted' }],
      ['batch', { batchId: 'wanted' }],
      ['label', { labels: { team: 'wanted' } }],
      ['all of them', { states: ['cancelled'], name: 'wanted', batchId: 'wanted', labels: { team: 'wanted' } }],
    ] as [string, JobFilter][])('filters by %s', async (_, filter) => {
      const wanted = { batchId: 'wanted', spec: { name: 'wanted', labels: { team: 'wanted', x: 'y' } } };
      const jobs: NewJob[] = Array.from({ length: 40 }, (_unused, i) => aJob(i % 8 === 0 ? wanted : {}));
      await q.add(...jobs);
      const matching = jobs.filter((job) => job.rule.batchId === 'wanted').map((job) => job.ulid);
      await q.store.cancel(q.pool, matching);

      expect(await listAll(filter, 2)).toEqual(matching.reverse().map((ulid) => `${q.pool}:${ulid}`));
    });

    it('filters by pool', async () => {
      await q.add(aJob());
      await q.store.enqueue('other', someJobs(2));

      expect(await listAll({ pool: 'other' }, 10)).toHaveLength(2);
      expect(await listAll({}, 10)).toHaveLength(3);
    });

    it('leaves out what was removed', async () => {
      const [first = '', second = ''] = await q.add(aJob(), aJob());
      await q.store.cancel(q.pool, [second]);
      await q.store.purge(q.pool, [second]);

      expect(await listAll({}, 10)).toEqual([`${q.pool}:${first}`]);
    });

    it('leaves out a damaged record and shows all others', async () => {
      const ulids = await q.add(...someJobs(3));
      const damaged = ulids[1] as string;
      const { created = '' } = await q.record(damaged);
      await q.patch(damaged, { created: 'yesterday' });

      expect(await listAll({}, 10)).toEqual([ulids[2], ulids[0]].map((ulid) => `${q.pool}:${ulid}`));

      await q.patch(damaged, { created });
    });

    it('looks at a bounded number of records and says where to go on', async () => {
      const [oldest = ''] = await q.add(aJob({ spec: { name: 'rare' } }));
      const filler = Array.from({ length: 250 }, () => '01JD0000000000000000000000').join(' ');
      for (let i = 0; i < MAX_SCAN / 250; i += 1) {
        await q.redis.xadd(`${q.base}created`, '*', 'u', filler);
      }

      const page = await q.store.listJobs({ name: 'rare' }, { limit: 1 });
      expect(page.jobs).toEqual([]);
      expect(page.nextCursor).toBeDefined();

      const next = await q.store.listJobs({ name: 'rare' }, { limit: 1, cursor: page.nextCursor ?? '' });
      expect(ids(next)).toEqual([`${q.pool}:${oldest}`]);
      expect(next.nextCursor).toBeUndefined();
    });

    it('reads a bounded number of bytes and says where to go on', async () => {
      const bytes = 1_000_000;
      const count = Math.ceil((2.5 * MAX_PAGE_BYTES) / bytes);
      const ulids: string[] = [];
      for (let i = 0; i < count; i += 1) {
        ulids.push(...(await q.add(aJob({ spec: { name: `large-${i % 2}`, stdin: 'x'.repeat(bytes) } }))));
      }
      const small = await q.add(...someJobs(3));

      const first = await q.store.listJobs({}, { limit: 1_000 });
      expect(first.jobs.length).toBeGreaterThan(small.length);
      expect(first.jobs.length * bytes).toBeLessThanOrEqual(MAX_PAGE_BYTES + bytes * small.length);
      expect(first.nextCursor).toBeDefined();

      const expected = [...ulids, ...small].reverse().map((ulid) => `${q.pool}:${ulid}`);
      expect(await listAll({}, 1_000)).toEqual(expected);
      expect(await listAll({ name: 'large-1' }, 1_000)).toHaveLength(Math.floor(count / 2));
    });

    it('reads little more than it answers, also where each submission was a large batch', async () => {
      for (let i = 0; i < 20; i += 1) {
        await q.add(...someJobs(250));
      }
      const bytesOut = async (): Promise<number> =>
        Number(/total_net_output_bytes:(\d+)/.exec(await q.redis.info('stats'))?.[1]);

      const before = await bytesOut();
      await q.store.listJobs({ pool: q.pool }, { limit: 10 });
      const plain = (await bytesOut()) - before;
      await q.store.listJobs({ pool: q.pool, states: ['queued'] }, { limit: 10 });
      const filtered = (await bytesOut()) - before - plain;

      // An entry of a batch has 7 KB of ULIDs, a record some 300 bytes, and INFO itself is counted, too.
      expect(plain).toBeLessThan(25_000);
      expect(filtered).toBeLessThan(25_000);
    });

    it('refuses a cursor that is not ours', async () => {
      await expect(q.store.listJobs({}, { limit: 1, cursor: 'bm90IG91cnM' })).rejects.toThrow(InvalidCursorError);
    });
  });

  it('counts jobs by state, and knows pools and places', async () => {
    const [low = '', high = ''] = await q.add(aJob(), aJob({ priority: 5 }), aJob({ delayMs: 60_000 }));
    await q.store.enqueue('other', [aJob()]);

    const none = Object.fromEntries(JOB_STATES.map((state) => [state, 0]));
    expect(await q.store.counts(q.pool)).toEqual({ ...none, queued: 2, scheduled: 1 });
    expect(await q.store.pools()).toEqual([q.pool, 'other']);
    expect(await q.store.position(q.pool, high)).toBe(0);
    expect(await q.store.position(q.pool, low)).toBe(1);
    expect(await q.store.position(q.pool, 'unknown')).toBeUndefined();
  });
});
