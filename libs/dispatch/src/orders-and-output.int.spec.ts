import { Outcome, OutputStream } from '@orchestrator/proto-types';

import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';

describe('orders, drains and output', () => {
  let bench: DispatchBench;
  let t: DispatchSetup;
  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench.stop());
  beforeEach(() => {
    t = bench.setup();
  });
  afterEach(() => t.stop());

  it('orders to workers: tells it to cancel what runs, again until it is reported', async () => {
    const { dispatch } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    const assignment = await worker.assignment();

    await t.store.cancel('default', [ulid as string]);

    const order = await worker.inbox.take('cancel');
    expect(order.attempts).toEqual([{ attempt: assignment.attempt, reason: 'cancel requested' }]);
    await worker.inbox.take('cancel');
    worker.finish([assignment], { outcome: Outcome.CANCELLED, signal: 'SIGTERM', failureReason: 'cancelled' });
    await worker.recorded();
    expect((await t.job(ulid as string)).state).toBe('cancelled');
  });

  it('orders to workers: tells a cancellation that was asked for while it was away, after its Welcome', async () => {
    const { dispatch } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    await worker.assignment();
    worker.break();

    await t.store.cancel('default', [ulid as string]);
    await worker.connect(dispatch);

    await worker.inbox.take('cancel');
  });

  it('never assigns a job that was cancelled while it was queued', async () => {
    const { dispatch } = await t.scheduler();
    const [cancelled, next] = await t.submit(2);
    await t.store.cancel('default', [cancelled as string]);
    const worker = await new ScriptedWorker().connect(dispatch);

    worker.grant(1);

    expect((await worker.assignment()).attempt?.jobId).toBe(`default:${next}`);
  });

  it('tells a worker to drain with the answer to a heartbeat, and gives it nothing more', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.beat();
    await worker.inbox.take('heartbeatAck');
    await t.registry.drain(worker.id);
    worker.beat();
    await worker.inbox.take('drain');
    const other = await new ScriptedWorker().connect(dispatch);

    worker.grant(1);
    await t.submit(1);
    other.grant(1);

    await other.assignment();
    expect(worker.held.size).toBe(0);
  });

  it('registers a Goodbye: the session has left, its gate is closed, its stream ended', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);

    worker.goodbye();

    expect(await worker.end).toMatchObject({ code: 'LEFT' });
    expect((await t.registry.get(worker.session))?.death).toMatchObject({ reason: 'left', losses: 0 });
    await t.until(
      'its gate is closed',
      () => t.store.gates('default'),
      (gates) => gates.size === 0,
    );
  });

  it('moves its workers away and records what they have reported before it stops', async () => {
    const scheduler = await t.scheduler();
    const ulids = await t.submit(100);
    const worker = await new ScriptedWorker({ slots: 100 }).connect(scheduler.dispatch);
    worker.grant(100);
    await t.until(
      '100 are held',
      async () => worker.held.size,
      (held) => held === 100,
    );
    worker.finish([...worker.held.values()].slice(0, 99));

    const stopped = scheduler.stop();
    await worker.inbox.take('reconnect');
    await stopped;

    expect(await worker.end).toMatchObject({ code: 'RECONNECT' });
    expect(await t.store.counts('default')).toMatchObject({ succeeded: 99, running: 1 });
    expect((await t.job(ulids[99] as string)).session).toBe(worker.session);
    const late = new ScriptedWorker().open(scheduler.dispatch);
    expect(await late.end).toMatchObject({ code: 'RECONNECT' });
  });

  it('stores output, acknowledges it by stream, and refuses that of a stranger for good', async () => {
    const { dispatch } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    const { attempt } = await worker.assignment();
    const chunk = { attempt, stream: OutputStream.STDOUT, offset: 0, sequence: 1, data: Buffer.from('hello ') };

    const { marks } = await worker.output(dispatch, [
      chunk,
      { ...chunk, offset: 6, sequence: 2, data: Buffer.from('world') },
      { ...chunk, stream: OutputStream.STDERR, sequence: 3, data: Buffer.from('oops') },
      { ...chunk, attempt: { ...attempt!, attemptId: 'nobody.0' } },
    ]);

    expect(marks).toEqual([
      { attempt, stream: OutputStream.STDOUT, endOffset: 11 },
      { attempt, stream: OutputStream.STDERR, endOffset: 4 },
      { attempt: { ...attempt, attemptId: 'nobody.0' }, stream: OutputStream.STDOUT, endOffset: 6 },
    ]);
    const stored = await t.store.readOutput('default', ulid as string, 1);
    expect(stored?.chunks.map(({ stream, data }) => `${stream} ${data.toString()}`)).toEqual([
      'stdout hello ',
      'stdout world',
      'stderr oops',
    ]);
  });

  it('keeps the output that travels inside a result', async () => {
    const { dispatch } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    const assignment = await worker.assignment();
    const { attempt } = assignment;

    worker.finish([assignment], {
      stdoutBytes: 3,
      output: [{ attempt, stream: OutputStream.STDOUT, offset: 0, sequence: 1, data: Buffer.from('hi\n') }],
    });
    await worker.recorded();

    const stored = await t.store.readOutput('default', ulid as string, 1);
    expect(stored?.chunks.map(({ data }) => data.toString())).toEqual(['hi\n']);
  });
});
