import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@orchestrator/core';
import { ExecutorProcess, uptimeMs } from '@orchestrator/execution';
import { type Hello, HeldState, Outcome, ReturnReason } from '@orchestrator/proto-types';
import { silentLogger } from '@orchestrator/telemetry';
import { type FaultProxy, startFaultProxy } from '@orchestrator/testing';

import { LocalRunner } from './local-runner.js';
import type { RunnerEvents, RunnerFactory } from './runner.js';
import { anAssignment, aRef, assign, gone, held, recorded, welcome } from './testing/messages.js';
import { ScriptedScheduler, type ScriptedStream } from './testing/scripted-scheduler.js';
import { WorkerBench } from './testing/worker-bench.js';
import { WakeUp } from './wake-up.js';

const TIMINGS = { heartbeatIntervalMs: 400, leaseMs: 2_000 };
/** Nothing happens in so long that would happen ten times otherwise. */
const STILL_MS = 1_000;
const TICK_MS = 100;
const TICKS = 30;

describe('a worker that is cut off for longer than its lease', () => {
  const happened: string[] = [];
  const something = new WakeUp();
  let directory: string;
  let scheduler: ScriptedScheduler;
  let proxy: FaultProxy;
  let bench: WorkerBench;

  const note = (what: string): void => {
    happened.push(what);
    something.call();
  };

  const noting = (events: RunnerEvents): RunnerEvents => ({
    ...events,
    frozen: (ids) => {
      events.frozen?.(ids);
      note(`frozen ${ids.join()}`);
    },
    leaseLost: (ids) => {
      events.leaseLost(ids);
      note(`killed ${ids.join()}`);
    },
  });

  const createRunner: RunnerFactory = (session, events) =>
    new LocalRunner({
      workerId: 'worker-1',
      defaults: { killGraceMs: 1_000, maxOutputBytes: 64 * 1024 },
      events: noting(events),
      clock: systemClock,
      uptimeMs,
      createExecutor: (executorEvents) =>
        new ExecutorProcess({
          workerId: 'worker-1',
          session,
          events: executorEvents,
          clock: systemClock,
          logger: silentLogger,
          environment: { PATH: '/usr/bin:/bin' },
        }),
    });

  const until = async (what: string): Promise<void> => {
    while (!happened.includes(what)) {
      await something.wait(new AbortController().signal);
    }
  };

  /** One line for each tick: which process made it, and when. */
  const ticks = (): { pid: string; atMs: number }[] => {
    const file = join(directory, 'ticks');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    return lines.map((line) => {
      const [pid = '', seconds] = line.split(' ');
      return { pid, atMs: Number(seconds) * 1_000 };
    });
  };

  const ticking = (onLeaseLost: object) =>
    anAssignment('a.0', {
      name: 'ticks',
      // The date is asked by a child, which must stand still, too.
      command: `for i in $(seq ${TICKS}); do echo "$$ $(date +%s.%N)" >> ticks; sleep ${TICK_MS / 1_000}; done`,
      cwd: directory,
      ...onLeaseLost,
    });

  /** The command ticks, then the worker hears nothing any more. */
  const cutOff = async (onLeaseLost: object): Promise<void> => {
    const stream = await scheduler.nextWelcomed(TIMINGS);
    stream.acknowledges = true;
    stream.send(assign(100, ticking(onLeaseLost)));
    await stream.next('heartbeat');
    await stream.next('heartbeat');
    expect(ticks().length).toBeGreaterThan(0);
    void proxy.loseAnswers();
  };

  /** The first stream that lives on after the cut, and its Hello. */
  const backAgain = async (): Promise<{ stream: ScriptedStream; hello: Hello }> => {
    proxy.heal();
    for (;;) {
      const stream = await scheduler.nextStream();
      const hello = await stream.next('hello').catch(() => undefined);
      if (hello !== undefined && !stream.closed) {
        stream.acknowledges = true;
        return { stream, hello };
      }
    }
  };

  beforeEach(async () => {
    happened.length = 0;
    directory = mkdtempSync(join(tmpdir(), 'cut-off-'));
    scheduler = await ScriptedScheduler.start();
    proxy = await startFaultProxy(Number(scheduler.address.split(':')[1]));
    bench = new WorkerBench({ schedulers: [proxy.url.replace('redis://', '')], createRunner, drainTimeoutMs: 1 });
    await bench.worker.start();
  });

  afterEach(async () => {
    await bench.worker.stop();
    await proxy.stop();
    scheduler.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('freeze: stands still, goes on where it stopped once it is confirmed, and ends once', async () => {
    await cutOff({});
    await until('frozen a.0');
    const before = ticks().length;
    await new Promise((resolve) => setTimeout(resolve, STILL_MS));
    const whileFrozen = ticks().length;

    const { stream, hello } = await backAgain();
    stream.send(welcome({ helloNumber: hello.number, epoch: 200, verdicts: [held('a.0')], ...TIMINGS }));
    const { attempts } = await stream.next('finished');
    stream.send(recorded('a.0'));

    expect(whileFrozen).toBe(before);
    expect(hello.held).toEqual([{ attempt: aRef('a.0'), state: HeldState.FROZEN, number: 1 }]);
    expect(attempts).toMatchObject([{ attempt: aRef('a.0'), outcome: Outcome.SUCCEEDED, wasFrozen: true }]);
    expect(ticks()).toHaveLength(TICKS);
    expect(new Set(ticks().map(({ pid }) => pid)).size).toBe(1);
  });

  it('freeze: is killed without another tick when it was given away meanwhile', async () => {
    await cutOff({});
    await until('frozen a.0');
    const before = ticks();

    const { stream, hello } = await backAgain();
    stream.send(welcome({ helloNumber: hello.number, epoch: 200, verdicts: [gone('a.0')], ...TIMINGS }));
    await stream.next('credit');
    await new Promise((resolve) => setTimeout(resolve, STILL_MS));

    expect(ticks()).toEqual(before);
    expect(() => process.kill(Number(before[0]?.pid), 0)).toThrow('ESRCH');
  });

  it('freeze: is killed and returned as a loss at its limit, while nobody can be asked', async () => {
    await cutOff({ freezeLimitMs: 500 });
    await until('frozen a.0');
    const before = ticks();
    await new Promise((resolve) => setTimeout(resolve, STILL_MS));

    const { stream, hello } = await backAgain();
    stream.send(welcome({ helloNumber: hello.number, epoch: 200, verdicts: [held('a.0')], ...TIMINGS }));
    const { attempts } = await stream.next('returned');
    stream.send(recorded('a.0'));

    expect(attempts).toEqual([{ attempt: aRef('a.0'), reason: ReturnReason.FREEZE_LIMIT, started: true }]);
    expect(ticks()).toEqual(before);
  });

  it('kill: is dead and returned as lease_lost', async () => {
    await cutOff({ onLeaseLost: 'kill' });
    await until('killed a.0');
    const before = ticks();
    await new Promise((resolve) => setTimeout(resolve, STILL_MS));

    const { stream, hello } = await backAgain();
    stream.send(welcome({ helloNumber: hello.number, epoch: 200, verdicts: [held('a.0')], ...TIMINGS }));
    const { attempts } = await stream.next('returned');
    stream.send(recorded('a.0'));

    expect(attempts).toEqual([{ attempt: aRef('a.0'), reason: ReturnReason.LEASE_LOST, started: true }]);
    expect(ticks()).toEqual(before);
  });

  it('continue: goes on through the cut, and its result is sent after it', async () => {
    await cutOff({ onLeaseLost: 'continue' });
    await new Promise((resolve) => setTimeout(resolve, TIMINGS.leaseMs + STILL_MS));
    const whileCutOff = ticks().length;

    const { stream, hello } = await backAgain();
    stream.send(welcome({ helloNumber: hello.number, epoch: 200, verdicts: [held('a.0')], ...TIMINGS }));
    const { attempts } = await stream.next('finished');
    stream.send(recorded('a.0'));

    expect(whileCutOff).toBeGreaterThan(TIMINGS.leaseMs / TICK_MS);
    expect(attempts).toMatchObject([{ outcome: Outcome.SUCCEEDED, wasFrozen: false }]);
    expect(ticks()).toHaveLength(TICKS);
  });
});
