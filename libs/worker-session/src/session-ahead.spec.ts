import { Outcome, ReturnReason } from '@orchestrator/proto-types';

import { UNSTARTED_AFTER_MS } from './attempt-flow.js';
import { anAssignment, aRef, assign, gone, only, welcome } from './testing/messages.js';
import { SessionBench } from './testing/session-bench.js';

/** Handlers are handed to their thread before they have a slot; the thread has as many slots as are lent. */
describe('WorkerSession: handlers ahead of their slots', () => {
  const aHandler = (id: string) => anAssignment(id, { name: 'test', handler: 'resize' });
  const bench = () => {
    const made = new SessionBench().welcomed();
    made.sent();
    return made;
  };

  it('hands over all of them at once, and lends its slots', () => {
    const { session, runner } = bench();

    session.receive(assign(100, ...['a.0', 'a.1', 'a.2', 'a.3'].map(aHandler)));

    expect(runner.ran).toEqual(['a.0', 'a.1', 'a.2', 'a.3']);
    expect(runner.lent.at(-1)).toBe(2);
  });

  it('keeps their order with commands: one behind them waits until they leave a slot, those behind it for it', () => {
    const { session, runner, sent } = bound(bench());
    session.receive(assign(100, aHandler('a.0'), aHandler('a.1'), 'b.0', aHandler('c.0')));
    runner.begin('a.0');
    runner.begin('a.1');
    const before = [...runner.ran];

    runner.succeed('a.0');
    sent();

    expect(before).toEqual(['a.0', 'a.1']);
    expect(runner.ran).toEqual(['a.0', 'a.1', 'b.0', 'c.0']);
    expect(runner.lent.at(-1)).toBe(1);
  });

  it('lends no slot that a command holds', () => {
    const { session, runner } = bench();

    session.receive(assign(100, 'b.0', aHandler('a.0'), aHandler('a.1'), 'b.1'));

    expect(runner.ran).toEqual(['b.0', 'a.0', 'a.1']);
    expect(runner.lent.at(-1)).toBe(1);
  });

  it('gives back those that have not started 100 ms after they arrived, and only those', () => {
    const { session, runner, clock, sent } = bound(bench());
    session.receive(assign(100, ...['a.0', 'a.1', 'a.2'].map(aHandler)));
    runner.begin('a.0');
    // It has started, but its thread is too busy to say so.
    runner.queued.delete('a.1');

    clock.advance(UNSTARTED_AFTER_MS);

    const [returned] = only(sent(), 'returned');
    expect(returned?.attempts).toEqual([{ attempt: aRef('a.2'), reason: ReturnReason.UNSTARTED, started: false }]);
  });

  it('cancels one that has not started without a word to its thread', () => {
    const { session, runner, sent } = bound(bench());
    session.receive(assign(100, aHandler('a.0'), aHandler('a.1')));
    runner.begin('a.0');

    const attempts = ['a.0', 'a.1'].map((id) => ({ attempt: aRef(id), reason: 'asked for' }));
    session.receive({ message: { $case: 'cancel', value: { attempts } } });

    expect(runner.cancelled).toEqual(['a.0']);
    const [finished] = only(sent(), 'finished');
    expect(finished?.attempts).toEqual([expect.objectContaining({ attempt: aRef('a.1'), outcome: Outcome.CANCELLED })]);
  });

  it('kills of what is gone only what has started', async () => {
    const made = bench();
    const { session, runner } = made;
    session.receive(assign(100, aHandler('a.0'), aHandler('a.1')));
    runner.begin('a.0');
    session.detach();
    session.attach();
    made.sent();

    session.receive(welcome({ helloNumber: 2, verdicts: [gone('a.0'), gone('a.1')] }));
    await made.settle();

    expect(runner.killed).toEqual(['a.0']);
    expect(session.isEmpty).toBe(true);
  });

  it('gives back what has not started when it drains', () => {
    const { session, runner, sent } = bound(bench());
    session.receive(assign(100, aHandler('a.0'), aHandler('a.1')));
    runner.begin('a.0');

    session.drain();
    sent();
    session.receive(welcome({ helloNumber: 2 }));

    const returned = only(sent(), 'returned').flatMap(({ attempts }) => attempts.map(({ attempt }) => attempt));
    expect(returned).toEqual([aRef('a.1')]);
  });
});

function bound(bench: SessionBench): SessionBench & { sent: SessionBench['sent'] } {
  return Object.assign(bench, { sent: bench.sent.bind(bench) });
}
