import { aJob, someJobs } from '../../testing/a-job.js';
import { aChunk } from '../../testing/a-chunk.js';
import { failure, success } from '../../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { MAX_TURN } from '../../store.js';
import { turn } from './turn.js';

describe('turn', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(async () => {
    q = bench.setup();
    await q.openGate('a');
  });
  afterEach(() => q.assertInvariants());
  afterAll(() => bench.stop());

  it('ends attempts and gives jobs away in one step', async () => {
    const [ran, failed] = [await q.run(aJob({ batchId: 'b' })), await q.run()];
    const [next] = await q.add(aJob({ batchId: 'b' }));
    const ends = [success(ran, { output: [aChunk(ran, 'hello')] }), failure(failed)];

    const { verdicts, claimed } = await q.store.turn(q.pool, ends, [aWant('a')]);

    expect(verdicts).toEqual(['accepted', 'accepted']);
    expect(claimed).toMatchObject({ queued: 0, refused: [], jobs: [{ ulid: next, session: 'a', number: 1 }] });
    expect(await q.state(ran.ulid)).toBe('succeeded');
    expect(await q.state(failed.ulid)).toBe('failed');
    expect(await q.state(next ?? '')).toBe('running');
    expect((await q.store.readOutput(q.pool, ran.ulid, 1))?.chunks.map(({ data }) => data.toString())).toEqual([
      'hello',
    ]);
  });

  it('knows an end that was told before, and still gives jobs away', async () => {
    const ran = await q.run();
    const [next] = await q.add(aJob());
    await q.store.settle(q.pool, [success(ran)]);

    const { verdicts, claimed } = await q.store.turn(q.pool, [success(ran)], [aWant('a')]);

    expect(verdicts).toEqual(['repeated']);
    expect(claimed.jobs.map(({ ulid }) => ulid)).toEqual([next]);
  });

  it('gives away at once what failed and may be tried again without a wait', async () => {
    const backoff = { type: 'fixed', delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 'none' } as const;
    const ran = await q.run(aJob({ attempts: 2, backoff }), 'a');

    const { claimed } = await q.store.turn(q.pool, [failure(ran)], [aWant('a')]);

    expect(claimed.jobs).toMatchObject([{ ulid: ran.ulid, number: 2 }]);
    expect(claimed.jobs[0]?.fence).toBeGreaterThan(ran.fence);
  });

  it('gives away a bounded number, however many are wanted', async () => {
    const ran = await q.run();
    await q.add(...someJobs(250));

    const { claimed } = await q.store.turn(q.pool, [success(ran)], [aWant('a', { max: 250 })]);

    expect(claimed.jobs).toHaveLength(MAX_TURN);
    expect(claimed.queued).toBe(250 - MAX_TURN);
  });

  it('gives nothing away through a gate that is not open, and ends attempts all the same', async () => {
    const ran = await q.run();
    await q.add(aJob());

    const { verdicts, claimed } = await q.store.turn(q.pool, [success(ran)], [aWant('a', { epoch: 7 })]);

    expect(verdicts).toEqual(['accepted']);
    expect(claimed).toMatchObject({ jobs: [], refused: ['a'], queued: 1 });
  });

  it('ends attempts, and gives nothing away, in a pool that has to be put into recovery', async () => {
    const ran = await q.run();
    await q.add(aJob());
    await q.moveServer();

    const { verdicts, claimed } = await q.store.turn(q.pool, [success(ran)], [aWant('a')]);

    expect(verdicts).toEqual(['accepted']);
    expect(claimed.jobs).toEqual([]);
    expect(claimed.recovery).toBeDefined();
    expect(await q.state(ran.ulid)).toBe('succeeded');
    expect(await q.events()).toContain(`succeeded ${ran.ulid} 1 worker-of-session-a`);
  });

  it('is refused when it arrives a second time', async () => {
    const ran = await q.run();
    const params = { ends: [success(ran)], outputCapBytes: 1_024, claimId: 'abcdef0123456789', wants: [aWant('a')] };
    await q.send(turn, 7, params);

    await expect(q.send(turn, 7, params)).rejects.toThrow('STALE_OP');
    await expect(q.send(turn, 6, params)).rejects.toThrow('STALE_OP');
  });
});
