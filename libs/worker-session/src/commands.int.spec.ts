import { readdirSync, readFileSync } from 'node:fs';

import { systemClock } from '@orchestrator/core';
import { ExecutorProcess, uptimeMs } from '@orchestrator/execution';
import { Outcome, ReturnReason } from '@orchestrator/proto-types';
import { silentLogger } from '@orchestrator/telemetry';

import { LocalRunner } from './local-runner.js';
import type { RunnerFactory } from './runner.js';
import { anAssignment, aRef, assign, held, recorded, welcome } from './testing/messages.js';
import { ScriptedScheduler, type ScriptedStream } from './testing/scripted-scheduler.js';
import { WorkerBench } from './testing/worker-bench.js';

describe('a worker with its real executor', () => {
  let scheduler: ScriptedScheduler;
  let bench: WorkerBench;
  let executor: ExecutorProcess;

  const createRunner: RunnerFactory = (session, events) =>
    new LocalRunner({
      workerId: 'worker-1',
      defaults: { killGraceMs: 1_000, maxOutputBytes: 64 * 1024 },
      events,
      clock: systemClock,
      uptimeMs,
      createExecutor: (executorEvents) =>
        (executor = new ExecutorProcess({
          workerId: 'worker-1',
          session,
          events: executorEvents,
          clock: systemClock,
          logger: silentLogger,
          environment: { PATH: '/usr/bin:/bin' },
        })),
    });

  const command = (id: string, line: string) => anAssignment(id, { name: 'test', command: line });

  const start = async (drainTimeoutMs = 30_000): Promise<ScriptedStream> => {
    bench = new WorkerBench({ schedulers: [scheduler.address], createRunner, drainTimeoutMs });
    await bench.worker.start();
    return scheduler.nextWelcomed();
  };

  beforeEach(async () => {
    scheduler = await ScriptedScheduler.start();
  });

  afterEach(async () => {
    await bench.worker.stop();
    scheduler.stop();
  });

  it('runs a command and reports its end with its whole output', async () => {
    const stream = await start();

    stream.send(assign(100, command('a.0', 'echo "$ORCHESTRATOR_ATTEMPT of $ORCHESTRATOR_WORKER_ID"; exit 3')));
    const { attempts } = await stream.next('finished');
    stream.send(recorded('a.0'));

    expect(attempts).toMatchObject([{ attempt: aRef('a.0'), outcome: Outcome.FAILED, exitCode: 3 }]);
    expect(attempts[0]?.output.map(({ data }) => data.toString())).toEqual(['1 of worker-1\n']);
  });

  it('goes on while it has no scheduler and reports to the next', async () => {
    const first = await start();
    first.send(assign(100, command('a.0', 'echo started; sleep 1; echo done')));
    await scheduler.outputSeen();

    first.break();
    const second = await scheduler.nextStream();
    const { number } = await second.next('hello');
    second.send(welcome({ helloNumber: number, epoch: 200, verdicts: [held('a.0')] }));
    const { attempts } = await second.next('finished');
    second.send(recorded('a.0'));

    expect(attempts).toMatchObject([{ attempt: aRef('a.0'), outcome: Outcome.SUCCEEDED }]);
  });

  it('cancels a command that runs', async () => {
    const stream = await start();
    stream.send(assign(100, command('a.0', 'echo started; sleep 60')));
    await scheduler.outputSeen();

    stream.send({ message: { $case: 'cancel', value: { attempts: [{ attempt: aRef('a.0'), reason: 'asked for' }] } } });
    const { attempts } = await stream.next('finished');
    stream.send(recorded('a.0'));

    expect(attempts).toMatchObject([{ outcome: Outcome.CANCELLED, failureReason: 'cancelled' }]);
  });

  it('kills what outlasts a drain and hands it back', async () => {
    const stream = await start(50);
    stream.send(assign(100, command('a.0', 'echo started; sleep 61')));
    await scheduler.outputSeen();

    const stopping = bench.worker.stop();
    const { number } = await stream.next('hello');
    stream.send(welcome({ helloNumber: number, verdicts: [held('a.0')] }));
    const { attempts } = await stream.next('returned');
    stream.send(recorded('a.0'));
    await stopping;

    expect(attempts).toEqual([{ attempt: aRef('a.0'), reason: ReturnReason.DRAINED, started: true }]);
    expect(commandLines().filter((line) => line.includes('sleep 61'))).toEqual([]);
  });

  it('returns what was lost with the executor and runs what comes next', async () => {
    const stream = await start();
    stream.send(assign(100, command('a.0', 'echo started; sleep 62')));
    await scheduler.outputSeen();

    process.kill(executor.pid ?? 0, 'SIGKILL');
    const { attempts } = await stream.next('returned');
    stream.send(assign(100, command('a.1', 'true')));
    const next = await stream.next('finished');
    stream.send(recorded('a.0', 'a.1'));

    expect(attempts).toEqual([{ attempt: aRef('a.0'), reason: ReturnReason.EXECUTOR_LOST, started: true }]);
    expect(next.attempts).toMatchObject([{ attempt: aRef('a.1'), outcome: Outcome.SUCCEEDED }]);
    expect(commandLines().filter((line) => line.includes('sleep 62'))).toEqual([]);
  });

  it('leaves nothing running when it is declared dead', async () => {
    const stream = await start();
    stream.send(assign(100, command('a.0', 'echo started; sleep 63')));
    await scheduler.outputSeen();

    stream.send({ message: { $case: 'sessionDead', value: { reason: 'silent' } } });
    const { held: stillHeld } = await (await scheduler.nextStream()).next('hello');

    expect(stillHeld).toEqual([]);
    expect(commandLines().filter((line) => line.includes('sleep 63'))).toEqual([]);
  });
});

/** Of all processes of this machine, as far as they can be read. */
function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return [];
      }
    });
}
