import type { Executor, ExecutorEnd, HandlerEvents } from '@orchestrator/execution';
import { ManualClock } from '@orchestrator/testing';

import { LocalRunner } from './local-runner.js';
import { anEnd } from './testing/fake-runner.js';
import { aRef } from './testing/messages.js';

describe('LocalRunner', () => {
  const anExecutor = () => {
    const calls: string[] = [];
    const note = (name: string) => (id?: unknown) => {
      calls.push(typeof id === 'string' ? `${name} ${id}` : name);
      return Promise.resolve();
    };
    const executor: Executor = {
      start: note('start'),
      run: ({ attemptId }) => void note('run')(attemptId),
      cancel: (id) => void note('cancel')(id),
      recall: (id) => void note('recall')(id),
      kill: note('kill'),
      killAll: note('killAll'),
      renewLease: () => undefined,
      confirmHeld: (ids) => void note('confirmHeld')(ids.join(' ')),
      acknowledgeOutput: (id) => void note('acknowledge')(id),
      stop: note('stop'),
    };
    return { calls, executor };
  };

  const setup = (options: { handlers: boolean }) => {
    const clock = new ManualClock();
    const commands = anExecutor();
    const threads = anExecutor();
    const ended: ExecutorEnd[] = [];
    const lost: string[][] = [];
    let handlerEvents: HandlerEvents | undefined;
    const runner = new LocalRunner({
      workerId: 'worker-1',
      defaults: { killGraceMs: 1_000, maxOutputBytes: 1_000 },
      events: {
        started: () => undefined,
        output: () => undefined,
        ended: (end) => ended.push(end),
        unstarted: () => undefined,
        leaseLost: (ids) => lost.push([...ids]),
        executorLost: () => undefined,
      },
      clock,
      uptimeMs: () => clock.monotonicMs(),
      createExecutor: () => commands.executor,
      createHandlers: options.handlers
        ? (events) => {
            handlerEvents = events;
            return {
              ...threads.executor,
              run: ({ attemptId }) => void threads.calls.push(`run ${attemptId}`),
              setSlots: () => undefined,
              setLease: () => undefined,
              recall: () => false,
            };
          }
        : undefined,
    });
    const run = (id: string, more: object) => {
      const spec = { name: 'test', ...more };
      runner.run({ ref: aRef(id), spec, specJson: JSON.stringify(spec), number: 1, traceparent: '' }, 1);
    };
    return { clock, commands, threads, ended, lost, runner, run, events: () => handlerEvents };
  };

  it('sends commands to the executor and handlers to their thread', () => {
    const { run, runner, commands, threads } = setup({ handlers: true });

    run('c', { command: 'true' });
    run('h', { handler: 'resize' });
    runner.cancel('h', 'asked for');
    runner.acknowledgeOutput('c', 'stdout', 1);

    expect(commands.calls).toEqual(['run c', 'acknowledge c']);
    expect(threads.calls).toEqual(['run h', 'cancel h']);
  });

  it('fails a handler job where there are no handlers', () => {
    const { run, ended } = setup({ handlers: false });

    run('h', { handler: 'resize' });

    expect(ended).toMatchObject([{ attemptId: 'h', outcome: 'failed', end: { failure: { reason: 'handler_error' } } }]);
  });

  it('lets handlers go on that continue, and ends those that would be frozen', async () => {
    const { run, runner, clock, threads, lost, events } = setup({ handlers: true });
    runner.renewLease(0, 12_000);
    run('on', { handler: 'resize', onLeaseLost: 'continue' });
    run('frozen', { handler: 'resize', onLeaseLost: 'freeze' });
    run('killed', { handler: 'resize', onLeaseLost: 'kill' });

    clock.advance(12_000);
    await new Promise((resolve) => setImmediate(resolve));
    runner.cancel('on', 'asked for');
    events()?.ended(anEnd('on'));

    expect(threads.calls).toEqual(['run on', 'run frozen', 'run killed', 'kill frozen', 'kill killed', 'cancel on']);
    expect(lost).toEqual([['frozen', 'killed']]);
  });

  it('ends handlers when the lease runs out', async () => {
    const { run, runner, clock, threads, lost } = setup({ handlers: true });
    runner.renewLease(0, 12_000);
    run('h', { handler: 'resize' });
    clock.advance(6_000);
    runner.renewLease(3_000, 12_000);

    clock.advance(8_999);
    const before = [...threads.calls];
    clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));

    expect(before).toEqual(['run h']);
    expect(threads.calls).toEqual(['run h', 'kill h']);
    expect(lost).toEqual([['h']]);
  });

  it('ends no handlers of a lease under which none runs any more', () => {
    const { run, runner, clock, threads, events } = setup({ handlers: true });
    runner.renewLease(0, 12_000);
    run('h', { handler: 'resize' });
    events()?.ended(anEnd('h'));

    clock.advance(12_000);

    expect(threads.calls).toEqual(['run h']);
  });
});
