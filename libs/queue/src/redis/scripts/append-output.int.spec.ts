import type { ClaimedJob, OutputEnds, StoredOutput } from '../../store.js';
import { aChunk } from '../../testing/a-chunk.js';
import { aJob } from '../../testing/a-job.js';
import { returned, success } from '../../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { appendOutput } from './append-output.js';

const text = (output: StoredOutput | undefined): string[] => output?.chunks.map(({ data }) => data.toString()) ?? [];

describe('append-output', () => {
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

  const append = (job: ClaimedJob, ...chunks: Parameters<typeof aChunk>[1][]) => {
    let offset = 0;
    return q.store.appendOutput(
      q.pool,
      chunks.map((data, sequence) => {
        const chunk = aChunk(job, data, { offset, sequence });
        offset += chunk.data.length;
        return chunk;
      }),
    );
  };
  const read = (job: ClaimedJob): Promise<StoredOutput | undefined> => q.store.readOutput(q.pool, job.ulid, job.number);

  it('keeps every byte value, of both streams, in the order in which they came', async () => {
    const job = await q.run();
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const chunks = [
      aChunk(job, all, { sequence: 1 }),
      aChunk(job, 'oops\n', { stream: 'stderr', sequence: 2 }),
      aChunk(job, '\n\0', { offset: 256, sequence: 3 }),
    ];

    expect(await q.store.appendOutput(q.pool, chunks)).toEqual([
      { verdict: 'stored', endOffset: 256 },
      { verdict: 'stored', endOffset: 5 },
      { verdict: 'stored', endOffset: 258 },
    ]);

    expect(await read(job)).toEqual({
      chunks: chunks.map(({ stream, offset, sequence, data }) => ({ stream, offset, sequence, data })),
    });
  });

  it('tells how far each stream goes, also of what the cap has cut out, and nothing of what is not there', async () => {
    const job = await q.run();
    const ends = (start: number): Promise<OutputEnds> => q.store.outputEnds(q.pool, job.ulid, start);
    expect(await ends(job.number)).toEqual({ stdout: 0, stderr: 0 });

    await q.store.appendOutput(q.pool, [
      aChunk(job, 'abc', { offset: 1_000_000, sequence: 1 }),
      aChunk(job, 'oops\n', { stream: 'stderr', sequence: 2 }),
    ]);

    expect(await ends(job.number)).toEqual({ stdout: 1_000_003, stderr: 5 });
    expect(await ends(job.number + 1)).toEqual({ stdout: 0, stderr: 0 });
  });

  it('writes once for each offset: what is there already is acknowledged, what overlaps is cut', async () => {
    const job = await q.run();
    await append(job, 'hello ');

    expect(await append(job, 'hello ')).toEqual([{ verdict: 'stored', endOffset: 6 }]);
    expect(await append(job, 'hello world')).toEqual([{ verdict: 'stored', endOffset: 11 }]);

    expect(text(await read(job))).toEqual(['hello ', 'world']);
    expect(await q.redis.get(`${q.base}outputBytes`)).toBe('11');
  });

  it('keeps head and tail of what exceeds the cap, exactly, and marks it', async () => {
    const job = await q.run();
    const all = Array.from({ length: 100 }, (_, i) => String.fromCharCode(48 + (i % 75))).join('');

    for (let offset = 0; offset < all.length; offset += 7) {
      const chunk = aChunk(job, all.slice(offset, offset + 7), { offset, sequence: offset });
      await q.send(appendOutput, offset + 1, { chunks: [chunk], capBytes: 40 });
    }

    const output = await read(job);
    expect(text(output).join('')).toBe(all.slice(0, 10) + all.slice(70));
    expect(output?.chunks.map(({ offset, data }) => all.slice(offset, offset + data.length))).toEqual(text(output));
    expect(await q.redis.hgetall(`${q.base}o:${job.ulid}:1`)).toMatchObject({
      truncated: '1',
      bytes: '40',
      stdout: '100',
    });
    expect(await q.redis.get(`${q.base}outputBytes`)).toBe('40');
  });

  it('cuts a single chunk that is larger than the cap', async () => {
    const job = await q.run();

    const params = { chunks: [aChunk(job, '0123456789abcdef')], capBytes: 8 };

    expect(await q.send(appendOutput, 1, params)).toEqual([{ verdict: 'stored', endOffset: 16 }]);

    expect(text(await read(job))).toEqual(['01', 'abcdef']);
  });

  it('accepts a gap: what the worker overwrote before it could send it', async () => {
    const job = await q.run();
    await append(job, 'head');

    const late = aChunk(job, 'tail', { offset: 1_000, sequence: 9 });
    expect(await q.store.appendOutput(q.pool, [late])).toEqual([{ verdict: 'stored', endOffset: 1_004 }]);

    expect((await read(job))?.chunks.map(({ offset }) => offset)).toEqual([0, 1_000]);
    expect(await q.redis.hget(`${q.base}o:${job.ulid}:1`, 'truncated')).toBe('1');
  });

  it('refuses what does not come from the holder', async () => {
    const job = await q.run();
    const stale = [
      aChunk({ ...job, attemptId: 'another.0' }, 'x'),
      aChunk({ ...job, ulid: 'unknown' as ClaimedJob['ulid'] }, 'x'),
    ];
    expect(await q.store.appendOutput(q.pool, stale)).toEqual(stale.map(() => ({ verdict: 'stale', endOffset: 0 })));
    await q.store.settle(q.pool, [success(job)]);

    expect(await append(job, 'late')).toEqual([{ verdict: 'stale', endOffset: 0 }]);

    expect(await read(job)).toBeUndefined();
  });

  it('keeps what comes with an accepted result, behind what came before', async () => {
    const job = await q.run();
    await append(job, 'first ');
    const output = [aChunk(job, 'last', { offset: 6, sequence: 5 })];

    expect(await q.store.settle(q.pool, [success(job, { output })])).toEqual(['accepted']);
    expect(await q.store.settle(q.pool, [success(job, { output })])).toEqual(['repeated']);

    expect(text(await read(job))).toEqual(['first ', 'last']);
  });

  it('keeps both streams of an accepted result, also where the first chunk is empty or begins behind a gap', async () => {
    const [whole, empty, gap] = [await q.run(), await q.run(), await q.run()];
    const outputs = new Map([
      [whole, [aChunk(whole, 'out'), aChunk(whole, 'err', { stream: 'stderr', sequence: 2 })]],
      [empty, [aChunk(empty, ''), aChunk(empty, 'x', { sequence: 2 })]],
      [gap, [aChunk(gap, 'late', { offset: 7 })]],
    ]);

    await q.store.settle(
      q.pool,
      [...outputs].map(([job, output]) => success(job, { output })),
    );

    expect(text(await read(whole))).toEqual(['out', 'err']);
    expect(text(await read(empty))).toEqual(['x']);
    expect(text(await read(gap))).toEqual(['late']);
    expect(await q.store.outputEnds(q.pool, gap.ulid, 1)).toEqual({ stdout: 11, stderr: 0 });
  });

  it('keeps nothing of a stale result', async () => {
    const job = await q.run();
    const stale = { ...job, attemptId: 'old.0' };

    expect(await q.store.settle(q.pool, [success(stale, { output: [aChunk(stale, 'x')] })])).toEqual(['stale']);

    expect(await read(job)).toBeUndefined();
  });

  it('begins anew when the number of a start is used again', async () => {
    const job = await q.run();
    await append(job, 'of the first, which was then said not to have started');
    await q.store.giveBack(q.pool, [returned(job)]);
    const [again] = (await q.store.claim(q.pool, [aWant(job.session)])).jobs as [ClaimedJob];
    expect(again.number).toBe(1);

    await append(again, 'of the second');

    expect(text(await read(again))).toEqual(['of the second']);
  });

  it('keeps the outputs of the latest starts only', async () => {
    const backoff = { type: 'fixed', delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 'none' } as const;
    const { ulid, ...first } = await q.run(aJob({ attempts: 1_000, backoff }));
    let job: ClaimedJob | undefined = { ulid, ...first };
    for (; job && job.number <= 22;) {
      await append(job, `start ${job.number}`);
      await q.store.settle(q.pool, [success(job, { outcome: 'failed' })]);
      job = (await q.store.claim(q.pool, [aWant('session-a')])).jobs[0];
    }

    expect(await q.store.readOutput(q.pool, ulid, 2)).toBeUndefined();
    expect(text(await q.store.readOutput(q.pool, ulid, 3))).toEqual(['start 3']);
    expect(text(await q.store.readOutput(q.pool, ulid, 22))).toEqual(['start 22']);
  });

  it('answers the same when it is sent twice, with the same number or a new one', async () => {
    const job = await q.run();
    const call = { base: q.base, clientId: 'twice', number: 1 };
    const params = { chunks: [aChunk(job, 'once')], capBytes: 100 };

    for (const number of [1, 1, 2]) {
      expect(await appendOutput.send(q.redis, { ...call, number }, params)).toEqual([
        { verdict: 'stored', endOffset: 4 },
      ]);
    }
    await expect(appendOutput.send(q.redis, call, params)).rejects.toThrow(/^STALE_OP/);
    expect(text(await read(job))).toEqual(['once']);
  });
});
