import { Outcome, ReturnReason } from '@orchestrator/proto-types';

import { backAgain, cutOff, LEASE_MS, running } from './testing/frozen-bench.js';
import { aRef, assign, held, only, recorded, unknown, welcome } from './testing/messages.js';

describe('WorkerSession: what becomes of a frozen attempt', () => {
  it('keeps its slot', () => {
    const bench = backAgain(1);

    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.0')] }));

    expect(bench.session.flow.freeSlots).toBe(0);
    expect(only(bench.sent(), 'credit')).toEqual([]);
  });

  it('does not count as long work: what comes next is fetched ahead as before', () => {
    const bench = running();
    bench.clock.advance(5);
    bench.runner.succeed('a.0');
    bench.sent();
    bench.session.receive(recorded('a.0'));
    bench.session.receive(assign(100, 'a.1'));
    bench.clock.advance(LEASE_MS);

    bench.runner.succeed('a.1', { wasFrozen: true });
    bench.session.detach();
    bench.session.attach();
    bench.sent();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.1')] }));

    expect(only(bench.sent(), 'credit')).toMatchObject([{ prefetch: 8 }]);
  });

  it('is returned as a loss when its freeze limit is reached', () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [unknown('a.0')] }));

    bench.runner.events.freezeLimitReached?.(['a.0']);

    expect(only(bench.sent(), 'returned')[0]?.attempts).toEqual([
      { attempt: aRef('a.0'), reason: ReturnReason.FREEZE_LIMIT, started: true },
    ]);
  });

  it('is returned when it was lost with the executor', () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [unknown('a.0')] }));

    bench.runner.events.executorLost(['a.0'], 'killed');

    expect(only(bench.sent(), 'returned')[0]?.attempts).toMatchObject([{ reason: ReturnReason.EXECUTOR_LOST }]);
  });

  it('is cancelled by the runner, and its end is reported', () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [unknown('a.0')] }));

    bench.session.receive({
      message: { $case: 'cancel', value: { attempts: [{ attempt: aRef('a.0'), reason: 'asked for' }] } },
    });
    bench.runner.succeed('a.0', { outcome: 'cancelled', wasFrozen: true });

    expect(bench.runner.cancelled).toEqual(['a.0']);
    expect(only(bench.sent(), 'finished')[0]?.attempts).toMatchObject([
      { outcome: Outcome.CANCELLED, wasFrozen: true },
    ]);
  });

  it('drain: keeps the worker busy, and is killed and handed back at its limit', async () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [unknown('a.0')] }));
    bench.session.drain();
    bench.sent();
    bench.session.receive(welcome({ helloNumber: 3, verdicts: [unknown('a.0')] }));
    const { isBusy } = bench.session.flow;

    bench.session.flow.returnRunning('drained');
    await bench.settle();
    const returned = only(bench.sent(), 'returned');
    bench.session.receive(recorded('a.0'));

    expect(isBusy).toBe(true);
    expect(bench.runner.killed).toEqual(['a.0']);
    expect(returned[0]?.attempts).toEqual([{ attempt: aRef('a.0'), reason: ReturnReason.DRAINED, started: true }]);
    expect(bench.session.isEmpty).toBe(true);
  });

  it('drain: goes on when it is confirmed in time, as what runs does', () => {
    const bench = cutOff();
    bench.session.drain();
    bench.session.attach();
    bench.sent();

    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.0')] }));

    expect(bench.runner.confirmed).toMatchObject([{ attemptIds: ['a.0'] }]);
  });

  it('ignores word of the freeze of what is being killed already', async () => {
    const bench = running();
    bench.session.flow.returnRunning('drained');

    bench.runner.events.frozen?.(['a.0']);
    await bench.settle();

    expect(only(bench.sent(), 'returned')[0]?.attempts).toMatchObject([{ reason: ReturnReason.DRAINED }]);
  });
});
