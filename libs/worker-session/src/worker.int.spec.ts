import { ExecutorStartError, HandlerLoadError } from '@orchestrator/execution';
import { GoneReason, HeldState, ReturnReason } from '@orchestrator/proto-types';

import { aRef, assign, held, recorded, welcome } from './testing/messages.js';
import { ScriptedScheduler } from './testing/scripted-scheduler.js';
import { type BenchOptions, WorkerBench } from './testing/worker-bench.js';

describe('OrchestratorWorker over gRPC', () => {
  const schedulers: ScriptedScheduler[] = [];
  const workers: WorkerBench[] = [];

  const aScheduler = async (options: { token?: string } = {}): Promise<ScriptedScheduler> => {
    const scheduler = await ScriptedScheduler.start(options);
    schedulers.push(scheduler);
    return scheduler;
  };

  const aWorker = async (options: BenchOptions): Promise<WorkerBench> => {
    const bench = new WorkerBench(options);
    workers.push(bench);
    await bench.worker.start();
    return bench;
  };

  afterEach(async () => {
    await Promise.all(workers.map((bench) => bench.end()));
    schedulers.forEach((scheduler) => scheduler.stop());
    schedulers.length = 0;
    workers.length = 0;
  });

  it('says hello, beats and grants credit', async () => {
    const scheduler = await aScheduler();
    await aWorker({ schedulers: [scheduler.address] });

    const stream = await scheduler.nextWelcomed();

    await expect(stream.next('heartbeat')).resolves.toMatchObject({ epoch: 100, sequence: 1 });
    await expect(stream.next('credit')).resolves.toEqual({ epoch: 100, granted: 2, prefetch: 0 });
  });

  it('keeps a result over a broken stream and sends it again until it is recorded', async () => {
    const scheduler = await aScheduler();
    const { runners } = await aWorker({ schedulers: [scheduler.address] });
    const first = await scheduler.nextWelcomed();
    first.send(assign(100, 'a.0'));
    await runners[0]?.hasRun('a.0');
    runners[0]?.succeed('a.0');
    await first.next('finished');

    first.break();
    const second = await scheduler.nextStream();
    const hello = await second.next('hello');
    second.send(welcome({ helloNumber: hello.number, epoch: 200, verdicts: [held('a.0')] }));

    expect(hello).toMatchObject({
      number: 2,
      hasRun: true,
      held: [{ attempt: aRef('a.0'), state: HeldState.FINISHED, number: 1 }],
    });
    const again = await second.next('finished');
    expect(again.attempts.map(({ attempt }) => attempt)).toEqual([aRef('a.0')]);
    second.send(recorded('a.0'));
    second.send({ message: { $case: 'rehello', value: { reason: 'to see what is held' } } });
    await expect(second.next('hello')).resolves.toMatchObject({ held: [] });
  });

  it('moves to the next address when a scheduler is gone, and on Reconnect', async () => {
    const one = await aScheduler();
    const two = await aScheduler();
    await aWorker({ schedulers: [one.address, two.address] });
    const stream = await one.nextWelcomed();

    stream.send({ message: { $case: 'reconnect', value: { reason: 'stopping' } } });
    await two.nextWelcomed();
    two.stop();

    await expect(one.nextWelcomed()).resolves.toBeDefined();
  });

  it('ends the streams that it leaves', async () => {
    const one = await aScheduler();
    const two = await aScheduler();
    await aWorker({ schedulers: [one.address, two.address] });
    const stream = await one.nextWelcomed();

    stream.send({ message: { $case: 'reconnect', value: { reason: 'stopping' } } });
    await two.nextWelcomed();

    await expect(stream.next('goodbye')).rejects.toThrow('ended');
    expect(stream.closed).toBe(true);
  });

  it('presents its join token', async () => {
    const scheduler = await aScheduler({ token: 'sesame' });
    await aWorker({ schedulers: [scheduler.address], joinToken: 'sesame' });

    const stream = await scheduler.nextStream();

    expect(stream.authorization).toBe('Bearer sesame');
  });

  it('exits 3 when its join token is refused', async () => {
    const scheduler = await aScheduler({ token: 'sesame' });
    const { worker, runners } = await aWorker({ schedulers: [scheduler.address], joinToken: 'wrong' });

    await expect(worker.ended).resolves.toBe(3);

    expect(runners.map(({ stopped }) => stopped)).toEqual([true]);
  });

  it('tries again when what runs its attempts cannot be started, and says no Hello before', async () => {
    const scheduler = await aScheduler();
    const { runners, sessions } = await aWorker({
      schedulers: [scheduler.address],
      failStarts: [new ExecutorStartError('no memory'), new ExecutorStartError('no memory')],
    });

    const hello = await (await scheduler.nextStream()).next('hello');

    expect(runners.map(({ stopped }) => stopped)).toEqual([true, true, false]);
    expect(hello.session).toBe(sessions[2]);
  });

  it('fails with what went wrong when that goes on for too long', async () => {
    const scheduler = await aScheduler();
    const { worker } = await aWorker({
      schedulers: [scheduler.address],
      startLimitMs: 100,
      failStarts: [new ExecutorStartError('no memory'), new ExecutorStartError('no memory')],
    });

    await expect(worker.ended).rejects.toThrow(
      'nothing that runs jobs could be started for 100 ms; at last: no memory',
    );
    expect(scheduler.streams).toEqual([]);
  });

  it('fails at once when its handlers cannot be loaded', async () => {
    const scheduler = await aScheduler();
    const { worker } = await aWorker({
      schedulers: [scheduler.address],
      failStarts: [new HandlerLoadError('handlers.cjs', 'no such file')],
    });

    await expect(worker.ended).rejects.toThrow(HandlerLoadError);
  });

  it('exits 0 on a signal while it waits for the next try', async () => {
    const scheduler = await aScheduler();
    const failStarts = Array.from({ length: 100 }, () => new ExecutorStartError('no memory'));
    const { worker } = await aWorker({ schedulers: [scheduler.address], failStarts });

    await worker.stop();

    await expect(worker.ended).resolves.toBe(0);
  });

  it('kills everything, says Gone and exits 4 when it is superseded', async () => {
    const scheduler = await aScheduler();
    const { worker, runner, sessions } = await aWorker({ schedulers: [scheduler.address] });
    const stream = await scheduler.nextWelcomed();
    stream.send(assign(100, 'a.0'));
    await runner.hasRun('a.0');

    stream.send({ message: { $case: 'superseded', value: { bySession: 'newer' } } });

    await expect(worker.ended).resolves.toBe(4);
    expect(runner.killedAll).toBeGreaterThan(0);
    expect(scheduler.gone).toEqual([
      expect.objectContaining({ workerId: 'worker-1', session: sessions[0], reason: GoneReason.SUPERSEDED }),
    ]);
    expect(scheduler.streams).toEqual([]);
  });

  it('kills everything and says Hello as a new session when it was declared dead', async () => {
    const scheduler = await aScheduler();
    const bench = await aWorker({ schedulers: [scheduler.address] });
    const stream = await scheduler.nextWelcomed();
    stream.send(assign(100, 'a.0'));
    await bench.runner.hasRun('a.0');

    stream.send({ message: { $case: 'sessionDead', value: { reason: 'silent' } } });
    const hello = await (await scheduler.nextStream()).next('hello');

    expect(bench.runners[0]).toMatchObject({ killedAll: expect.any(Number) as number, stopped: true });
    expect(hello).toMatchObject({ session: bench.sessions[1], number: 1, hasRun: false, held: [] });
    expect(bench.sessions[1]).not.toBe(bench.sessions[0]);
  });

  it('drains: says so, waits for what runs and for its record, then says goodbye and exits 0', async () => {
    const scheduler = await aScheduler();
    const { worker, runner } = await aWorker({ schedulers: [scheduler.address] });
    const stream = await scheduler.nextWelcomed();
    stream.send(assign(100, 'a.0'));
    await runner.hasRun('a.0');

    const stopping = worker.stop();
    const hello = await stream.next('hello');
    stream.send(welcome({ helloNumber: hello.number, verdicts: [held('a.0')] }));
    runner.succeed('a.0');
    await stream.next('finished');
    stream.send(recorded('a.0'));
    await stream.next('goodbye');
    await stopping;

    expect(hello).toMatchObject({ draining: true });
    await expect(worker.ended).resolves.toBe(0);
    expect(runner.stopped).toBe(true);
  });

  it('says goodbye also when it is idle: after the Welcome of its last Hello', async () => {
    const scheduler = await aScheduler();
    const { worker } = await aWorker({ schedulers: [scheduler.address] });
    const stream = await scheduler.nextWelcomed();
    await stream.next('credit');

    const stopping = worker.stop();
    const { number } = await stream.next('hello');
    stream.send(welcome({ helloNumber: number }));
    await stream.next('goodbye');
    await stopping;

    await expect(worker.ended).resolves.toBe(0);
  });

  it('hands back what outlasts the drain timeout', async () => {
    const scheduler = await aScheduler();
    const { worker, runner } = await aWorker({ schedulers: [scheduler.address], drainTimeoutMs: 20 });
    const stream = await scheduler.nextWelcomed();
    stream.send(assign(100, 'a.0'));
    await runner.hasRun('a.0');

    const stopping = worker.stop();
    const { number } = await stream.next('hello');
    stream.send(welcome({ helloNumber: number, verdicts: [held('a.0')] }));
    const returned = await stream.next('returned');
    stream.send(recorded('a.0'));
    await stopping;

    expect(returned.attempts).toEqual([{ attempt: aRef('a.0'), reason: ReturnReason.DRAINED, started: true }]);
    expect(runner.killed).toEqual(['a.0']);
  });

  it('leaves by itself when it was drained over REST and is empty', async () => {
    const scheduler = await aScheduler();
    const { worker } = await aWorker({ schedulers: [scheduler.address] });
    const stream = await scheduler.nextWelcomed();
    await stream.next('credit');

    stream.send({ message: { $case: 'drain', value: { reason: 'asked for' } } });
    const { number } = await stream.next('hello');
    stream.send(welcome({ helloNumber: number }));
    await stream.next('goodbye');

    await expect(worker.ended).resolves.toBe(0);
  });

  it('streams the output of what runs and sends its result after that is safe', async () => {
    const scheduler = await aScheduler();
    const { runner } = await aWorker({ schedulers: [scheduler.address] });
    const stream = await scheduler.nextWelcomed();
    stream.send(assign(100, 'a.0'));
    await runner.hasRun('a.0');
    const chunk = { attemptId: 'a.0', stream: 'stdout' as const, offset: 0, sequence: 1, data: Buffer.from('hello') };

    runner.events.output(chunk);
    runner.succeed('a.0', { output: [chunk, { ...chunk, offset: 5, sequence: 2, data: Buffer.from(' there') }] });
    const finished = await stream.next('finished');
    stream.send(recorded('a.0'));

    expect(finished.attempts[0]?.output).toEqual([]);
    expect(scheduler.output.map(({ offset, data }) => [offset, data.toString()])).toEqual([
      [0, 'hello'],
      [5, ' there'],
    ]);
  });

  it('sends unacknowledged output again after its stream broke', async () => {
    const scheduler = await aScheduler();
    const { runner } = await aWorker({ schedulers: [scheduler.address] });
    const stream = await scheduler.nextWelcomed();
    stream.send(assign(100, 'a.0'));
    await runner.hasRun('a.0');
    const chunk = { attemptId: 'a.0', stream: 'stdout' as const, offset: 0, sequence: 1, data: Buffer.from('hello') };

    scheduler.storesOutput = false;
    runner.events.output(chunk);
    await scheduler.outputSeen();
    scheduler.storesOutput = true;
    scheduler.breakOutputStreams();
    runner.succeed('a.0', { output: [chunk] });
    await stream.next('finished');
    stream.send(recorded('a.0'));

    expect(scheduler.output.map(({ data }) => data.toString())).toEqual(['hello']);
  });
});
