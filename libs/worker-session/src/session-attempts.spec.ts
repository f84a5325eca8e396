import { HeldState, Outcome, ReturnReason } from '@orchestrator/proto-types';

import { UNSTARTED_AFTER_MS } from './attempt-flow.js';
import { anAssignment, aRef, assign, gone, held, only, recorded, welcome } from './testing/messages.js';
import { SessionBench } from './testing/session-bench.js';

describe('WorkerSession: results', () => {
  it('sends a result once on a link', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));
    bench.runner.succeed('a.0');

    const [finished] = only(bench.sent(), 'finished');

    expect(finished?.attempts).toEqual([
      expect.objectContaining({ attempt: aRef('a.0'), outcome: Outcome.SUCCEEDED, exitCode: 0 }),
    ]);
    expect(only(bench.sent(), 'finished')).toEqual([]);
  });

  it('keeps a result until it is recorded and sends it again on the next link', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));
    bench.runner.succeed('a.0');
    bench.sent();

    bench.session.detach();
    bench.session.attach();
    const [hello] = only(bench.sent(), 'hello');
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.0')] }));

    expect(hello?.held).toEqual([{ attempt: aRef('a.0'), state: HeldState.FINISHED, number: 1 }]);
    expect(only(bench.sent(), 'finished')).toHaveLength(1);
    bench.session.receive(recorded('a.0'));
    expect(bench.session.isEmpty).toBe(true);
  });

  it('kills what the store calls gone and reports nothing about it', async () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));
    bench.session.detach();
    bench.session.attach();
    bench.sent();

    bench.session.receive(welcome({ helloNumber: 2, verdicts: [gone('a.0')] }));
    await bench.settle();

    expect(bench.runner.killed).toEqual(['a.0']);
    expect(only(bench.sent(), 'finished')).toEqual([]);
    expect(bench.session.isEmpty).toBe(true);
  });

  it('forgets a result that the store calls gone', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));
    bench.runner.succeed('a.0');
    bench.session.detach();
    bench.session.attach();
    bench.sent();

    bench.session.receive(welcome({ helloNumber: 2, verdicts: [gone('a.0')] }));

    expect(only(bench.sent(), 'finished')).toEqual([]);
  });

  it('reconcile: gives back for free what the store takes for held here and is not', () => {
    const bench = new SessionBench().welcomed();
    bench.session.detach();
    bench.session.attach();
    bench.sent();

    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('lost.0')] }));

    expect(only(bench.sent(), 'returned')).toEqual([
      { attempts: [{ attempt: aRef('lost.0'), reason: ReturnReason.UNSTARTED, started: false }] },
    ]);
  });

  it('reports nothing about an abandoned attempt, even when it ends meanwhile', async () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));

    bench.session.receive({ message: { $case: 'abandon', value: { attempts: [aRef('a.0')] } } });
    bench.runner.succeed('a.0');
    await bench.settle();

    expect(bench.runner.killed).toEqual(['a.0']);
    expect(only(bench.sent(), 'finished')).toEqual([]);
  });

  it('returns what was lost with the executor', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));

    bench.runner.events.executorLost(['a.0'], 'killed');

    expect(only(bench.sent(), 'returned')[0]?.attempts).toEqual([
      { attempt: aRef('a.0'), reason: ReturnReason.EXECUTOR_LOST, started: true },
    ]);
  });

  it('returns for free what the machine could not start', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));

    bench.runner.events.unstarted(['a.0'], 'too many files open');

    expect(only(bench.sent(), 'returned')[0]?.attempts).toEqual([
      { attempt: aRef('a.0'), reason: ReturnReason.UNSTARTED, started: false },
    ]);
  });

  it('reports a job that it cannot read as failed', () => {
    const bench = new SessionBench().welcomed();

    bench.session.receive(assign(100, { ...anAssignment('a.0'), specJson: '{' }));

    expect(only(bench.sent(), 'finished')[0]?.attempts).toEqual([
      expect.objectContaining({ outcome: Outcome.FAILED, failureReason: 'spawn_error' }),
    ]);
  });
});

describe('WorkerSession: slots and credit', () => {
  it('grants its free slots after a Welcome, and not before', () => {
    const bench = new SessionBench();
    bench.session.attach();
    const before = bench.sent();

    bench.session.receive(welcome());

    expect(only(before, 'credit')).toEqual([]);
    expect(only(bench.sent(), 'credit')).toEqual([{ epoch: 100, granted: 2, prefetch: 0 }]);
  });

  it('grants one more when a result was sent, not when it was recorded', () => {
    const bench = new SessionBench().welcomed();
    bench.sent();
    bench.session.receive(assign(100, 'a.0', 'a.1'));
    const whileRunning = bench.sent();
    bench.clock.advance(1_000);

    bench.runner.succeed('a.0', { durationMs: 1_000 });

    expect(only(whileRunning, 'credit')).toEqual([]);
    expect(only(bench.sent(), 'credit')).toEqual([{ epoch: 100, granted: 3, prefetch: 0 }]);
  });

  it('fetches ahead while work is short', () => {
    const bench = new SessionBench().welcomed();
    bench.sent();
    bench.session.receive(assign(100, 'a.0'));
    bench.clock.advance(5);

    bench.runner.succeed('a.0');

    expect(only(bench.sent(), 'credit')).toEqual([{ epoch: 100, granted: 11, prefetch: 8 }]);
  });

  it('fetches nothing ahead again while something long is in front of what it had fetched', () => {
    const bench = new SessionBench({ slots: 1 }).welcomed();
    bench.sent();
    bench.session.receive(assign(100, 'a.0'));
    bench.runner.succeed('a.0');
    bench.sent();
    bench.session.receive(assign(100, 'long.0', 'b.0', 'b.1', 'b.2', 'b.3'));

    bench.clock.advance(UNSTARTED_AFTER_MS);
    bench.runner.giveBackRecalled();

    const messages = bench.sent();
    expect(only(messages, 'returned')[0]?.attempts).toHaveLength(4);
    expect(only(messages, 'credit')).toEqual([]);
  });

  it('takes back what it has granted beyond its slots, by a Hello, when something long is in front', () => {
    const bench = new SessionBench({ slots: 1 }).welcomed();
    bench.sent();
    bench.session.receive(assign(100, 'a.0'));
    bench.runner.succeed('a.0', { durationMs: 1 });
    expect(only(bench.sent(), 'credit')).toEqual([{ epoch: 100, granted: 22, prefetch: 20 }]);
    bench.session.receive(assign(100, 'long.0', 'b.0'));

    bench.clock.advance(UNSTARTED_AFTER_MS);
    bench.runner.giveBackRecalled();

    const [hello] = only(bench.sent(), 'hello');
    expect(hello?.held.map(({ attempt, state }) => [attempt?.attemptId, state])).toEqual([
      ['a.0', HeldState.FINISHED],
      ['long.0', HeldState.RUNNING],
      ['b.0', HeldState.RETURNED],
    ]);
    bench.session.receive(
      welcome({ helloNumber: 2, epoch: 101, verdicts: [held('a.0'), held('long.0'), held('b.0')] }),
    );
    const messages = bench.sent();
    expect(only(messages, 'returned')[0]?.attempts).toHaveLength(1);
    expect(only(messages, 'credit')).toEqual([]);
  });

  it('starts attempts in the order of their Assign', () => {
    const bench = new SessionBench({ slots: 1 }).welcomed();
    bench.session.receive(assign(100, 'a.0', 'a.1', 'a.2'));

    bench.runner.succeed('a.0');
    bench.sent();
    bench.runner.succeed('a.1');
    bench.sent();

    expect(bench.runner.ran).toEqual(['a.0', 'a.1', 'a.2']);
  });

  it('returns what has not started 100 ms after it arrived', () => {
    const bench = new SessionBench({ slots: 1 }).welcomed();
    bench.session.receive(assign(100, 'a.0', 'a.1'));
    bench.sent();

    bench.clock.advance(99);
    const early = bench.sent();
    bench.clock.advance(1);

    expect(only(early, 'returned')).toEqual([]);
    expect(only(bench.sent(), 'returned')).toEqual([
      { attempts: [{ attempt: aRef('a.1'), reason: ReturnReason.UNSTARTED, started: false }] },
    ]);
  });

  it('runs an attempt once that is assigned twice', () => {
    const bench = new SessionBench().welcomed();

    bench.session.receive(assign(100, 'a.0'));
    bench.session.receive(assign(100, 'a.0'));

    expect(bench.runner.ran).toEqual(['a.0']);
  });
});

describe('WorkerSession: cancelling', () => {
  it('asks the runner once, however often it is told', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));
    const order = { attempt: aRef('a.0'), reason: 'asked for' };

    bench.session.receive({ message: { $case: 'cancel', value: { attempts: [order] } } });
    bench.session.receive({ message: { $case: 'cancel', value: { attempts: [order] } } });

    expect(bench.runner.cancelled).toEqual(['a.0']);
  });

  it('reports one that has not started as cancelled', () => {
    const bench = new SessionBench({ slots: 1 }).welcomed();
    bench.session.receive(assign(100, 'a.0', 'a.1'));

    const order = { attempt: aRef('a.1'), reason: 'asked for' };
    bench.session.receive({ message: { $case: 'cancel', value: { attempts: [order] } } });

    expect(only(bench.sent(), 'finished')[0]?.attempts).toEqual([
      expect.objectContaining({ attempt: aRef('a.1'), outcome: Outcome.CANCELLED, failureReason: 'cancelled' }),
    ]);
    expect(bench.runner.ran).toEqual(['a.0']);
  });
});
