import { HeldState, ReturnReason } from '@orchestrator/proto-types';

import { UNSTARTED_AFTER_MS } from './attempt-flow.js';
import { anAssignment, aRef, assign, gone, held, only, welcome } from './testing/messages.js';
import { SessionBench } from './testing/session-bench.js';

/** Commands that are short are handed to the executor before they have a slot: it starts one as soon as one ends. */
describe('WorkerSession: commands that stand by', () => {
  const bench = (slots = 2) => {
    const made = new SessionBench({ slots }).welcomed();
    made.sent();
    return made;
  };
  /** Has seen that commands are short. */
  const busy = (slots = 2) => {
    const made = bench(slots);
    made.session.receive(assign(100, 'short.0'));
    made.clock.advance(1);
    made.runner.succeed('short.0', { durationMs: 1 });
    made.sent();
    made.runner.ran.splice(0);
    made.runner.slots.splice(0);
    return made;
  };

  const answerHello = (made: SessionBench, ...ids: string[]): void => {
    made.sent();
    made.session.receive(welcome({ helloNumber: 2, epoch: 101, verdicts: ['short.0', ...ids].map((id) => held(id)) }));
  };
  const finishedOf = (made: SessionBench): (string | undefined)[] =>
    only(made.sent(), 'finished')
      .flatMap(({ attempts }) => attempts.map(({ attempt }) => attempt?.attemptId))
      .filter((id) => id !== 'short.0');

  it('are none before anything was measured, or while commands are long', () => {
    const unmeasured = bench();
    unmeasured.session.receive(assign(100, 'a.0', 'a.1', 'a.2'));
    const long = bench(1);
    long.session.receive(assign(100, 'long.0'));
    long.runner.succeed('long.0', { durationMs: 1_000 });
    long.sent();
    long.session.receive(assign(100, 'a.0', 'a.1'));

    expect(unmeasured.runner.ran).toEqual(['a.0', 'a.1']);
    expect(long.runner.ran).toEqual(['long.0', 'a.0']);
  });

  it('are handed over in their order, with how many may run', () => {
    const { runner, session } = busy();

    session.receive(assign(100, 'a.0', 'a.1', 'a.2', 'a.3'));

    expect(runner.ran).toEqual(['a.0', 'a.1', 'a.2', 'a.3']);
    expect(runner.slots).toEqual([1, 2, 2, 2]);
  });

  it('are none while a handler has one of the slots, or output waits to be sent', () => {
    const mixed = busy();
    mixed.session.receive(assign(100, 'a.0', anAssignment('h.0', { name: 'test', handler: 'resize' }), 'a.1'));
    const slow = busy(1);
    slow.session.receive(assign(100, 'a.0', 'a.1'));
    const data = Buffer.alloc(100_000);
    slow.runner.succeed('a.0', { output: [{ attemptId: 'a.0', stream: 'stdout', offset: 0, sequence: 0, data }] });
    slow.session.receive(assign(100, 'a.2'));

    expect(mixed.runner.ran).toEqual(['a.0', 'h.0']);
    expect(slow.runner.ran).toEqual(['a.0', 'a.1']);
  });

  it('come back for free when the executor is lost, those that run do not', () => {
    const made = busy(1);
    made.session.receive(assign(100, 'a.0', 'a.1'));

    made.runner.events.executorLost(['a.0', 'a.1'], 'killed');

    const returned = only(made.sent(), 'returned').flatMap(({ attempts }) => attempts);
    expect(returned).toEqual(
      expect.arrayContaining([
        { attempt: aRef('a.0'), reason: ReturnReason.EXECUTOR_LOST, started: true },
        { attempt: aRef('a.1'), reason: ReturnReason.UNSTARTED, started: false },
      ]),
    );
  });

  it('take over the slot of the first one that ends, so that no other gets it', () => {
    const made = busy(1);
    const { runner, session } = made;
    session.receive(assign(100, 'a.0', 'a.1', anAssignment('h.0', { name: 'test', handler: 'resize' })));

    runner.succeed('a.0');
    made.sent();
    const whileItRuns = [...runner.ran];
    runner.succeed('a.1');
    made.sent();

    expect(whileItRuns).toEqual(['a.0', 'a.1']);
    expect(runner.ran).toEqual(['a.0', 'a.1', 'h.0']);
  });

  it('grant no credit for their slots twice', () => {
    const made = busy(2);
    const granted = only(made.sent(), 'credit');
    made.session.receive(assign(100, 'a.0', 'a.1', 'a.2'));

    made.runner.succeed('a.0', { durationMs: 1 });
    made.runner.succeed('a.1', { durationMs: 1 });
    made.runner.succeed('a.2', { durationMs: 1 });

    expect(granted).toEqual([]);
    const total = only(made.sent(), 'credit').at(-1);
    // Those used: short.0 and three; two slots are free.
    expect((total?.granted ?? 0) - (total?.prefetch ?? 0)).toBe(4 + 2);
  });

  it('are asked for 100 ms after they arrived, and come back for free', () => {
    const made = busy(1);
    made.session.receive(assign(100, 'long.0', 'a.1', 'a.2'));

    made.clock.advance(UNSTARTED_AFTER_MS);
    const asked = [...made.runner.recalled];
    made.runner.giveBackRecalled();
    answerHello(made, 'long.0', 'a.1', 'a.2');

    expect(asked).toEqual(['a.1', 'a.2']);
    const returned = only(made.sent(), 'returned').flatMap(({ attempts }) => attempts);
    expect(returned).toEqual(
      ['a.1', 'a.2'].map((id) => ({ attempt: aRef(id), reason: ReturnReason.UNSTARTED, started: false })),
    );
    made.session.receive(assign(101, 'a.3'));
    expect(made.runner.ran).not.toContain('a.3');
  });

  it('go on if they had started when they were asked for', () => {
    const made = busy(1);
    made.session.receive(assign(100, 'a.0', 'a.1'));
    made.clock.advance(UNSTARTED_AFTER_MS);

    made.runner.succeed('a.0');
    made.runner.succeed('a.1');
    answerHello(made, 'a.0', 'a.1');

    expect(finishedOf(made)).toEqual(['a.0', 'a.1']);
  });

  it('are held in a Hello, and killed where they are not ours any more', () => {
    const made = busy(1);
    made.session.receive(assign(100, 'a.0', 'a.1', 'a.2'));
    made.session.detach();
    made.session.attach();

    const [hello] = only(made.sent(), 'hello');
    made.session.receive(
      welcome({ helloNumber: 2, epoch: 101, verdicts: [held('short.0'), held('a.0'), gone('a.1'), held('a.2')] }),
    );
    made.runner.succeed('a.0');
    made.runner.succeed('a.2');

    const told = hello?.held.map(({ attempt, state }) => [attempt?.attemptId, state]);
    expect(told?.slice(-3)).toEqual(['a.0', 'a.1', 'a.2'].map((id) => [id, HeldState.RUNNING]));
    expect(made.runner.killed).toEqual(['a.1']);
    expect(finishedOf(made)).toEqual(['a.0', 'a.2']);
  });
});
