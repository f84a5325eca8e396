import { HeldState, Outcome, VerdictKind } from '@orchestrator/proto-types';

import { backAgain, cutOff, INTERVAL_MS, LEASE_MS, running } from './testing/frozen-bench.js';
import { acknowledge, aRef, gone, held, heldLater, only, unknown, welcome } from './testing/messages.js';
import type { SessionBench } from './testing/session-bench.js';

describe('WorkerSession: a frozen attempt goes on only when it is confirmed', () => {
  it('is listed as frozen in the next Hello', () => {
    const bench = cutOff();

    bench.session.attach();

    expect(only(bench.sent(), 'hello')[0]?.held).toEqual([
      { attempt: aRef('a.0'), state: HeldState.FROZEN, number: 1 },
    ]);
  });

  it('is confirmed by held in the Welcome, from the sending of its Hello, after the lease was renewed from there', () => {
    const bench = backAgain();
    const helloSentAtUptimeMs = bench.clock.monotonicMs();
    bench.clock.advance(500);

    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.0')] }));

    expect(bench.runner.calls.slice(-2)).toEqual([
      { kind: 'renewLease', sentAtUptimeMs: helloSentAtUptimeMs, leaseMs: LEASE_MS },
      { kind: 'confirmHeld', attemptIds: ['a.0'], sentAtUptimeMs: helloSentAtUptimeMs },
    ]);
  });

  it('runs again when the runner thawed it, and its end says that it was frozen', () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.0')] }));

    bench.runner.events.thawed?.(['a.0']);
    bench.session.receive({ message: { $case: 'rehello', value: { reason: 'to see its state' } } });
    const [hello] = only(bench.sent(), 'hello');
    bench.session.receive(welcome({ helloNumber: 3, verdicts: [held('a.0')] }));
    bench.runner.succeed('a.0', { wasFrozen: true });

    expect(hello?.held).toEqual([{ attempt: aRef('a.0'), state: HeldState.RUNNING, number: 1 }]);
    expect(only(bench.sent(), 'finished')[0]?.attempts).toMatchObject([
      { attempt: aRef('a.0'), outcome: Outcome.SUCCEEDED, wasFrozen: true },
    ]);
  });

  it('stays frozen on unknown, until Held says held for the same Hello', () => {
    const bench = backAgain();
    const helloSentAtUptimeMs = bench.clock.monotonicMs();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [unknown('a.0')] }));
    const onUnknown = [...bench.runner.confirmed];
    bench.clock.advance(1_000);

    bench.session.receive(heldLater(1, held('a.0')));
    const onAnotherHello = [...bench.runner.confirmed];
    bench.session.receive(heldLater(2, held('a.0')));

    expect(onUnknown).toEqual([]);
    expect(onAnotherHello).toEqual([]);
    expect(bench.runner.confirmed).toEqual([{ attemptIds: ['a.0'], sentAtUptimeMs: helloSentAtUptimeMs }]);
  });

  it('stays frozen on a verdict that says nothing', () => {
    const bench = backAgain();

    bench.session.receive(
      welcome({ helloNumber: 2, verdicts: [{ attempt: aRef('a.0'), kind: VerdictKind.UNSPECIFIED }] }),
    );

    expect(bench.runner.confirmed).toEqual([]);
  });

  it('is killed when the store calls it gone, and nothing is reported', async () => {
    const bench = backAgain();

    bench.session.receive(welcome({ helloNumber: 2, verdicts: [gone('a.0')] }));
    await bench.settle();

    expect(bench.runner.killed).toEqual(['a.0']);
    expect(bench.runner.confirmed).toEqual([]);
    expect(bench.session.isEmpty).toBe(true);
  });

  it('is killed when Held says gone later', async () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [unknown('a.0')] }));

    bench.session.receive(heldLater(2, gone('a.0')));
    await bench.settle();

    expect(bench.runner.killed).toEqual(['a.0']);
  });

  it('is killed with all others when the session is dead', async () => {
    const bench = backAgain();

    bench.session.receive({ message: { $case: 'sessionDead', value: { reason: 'silent' } } });

    await expect(bench.session.ended).resolves.toMatchObject({ kind: 'dead' });
    expect(bench.runner.killedAll).toBe(1);
    expect(bench.runner.confirmed).toEqual([]);
  });
});

describe('WorkerSession: after SIGCONT timers and sockets fire in any order', () => {
  /** Stopped for longer than its lease; the executor froze a.0 meanwhile, and word of it is in the pipe. */
  const stopped = (): SessionBench => {
    const bench = running();
    bench.clock.jump(20_000);
    return bench;
  };

  it('an acknowledgement that lay in the socket thaws nothing', () => {
    const bench = stopped();
    bench.runner.events.frozen?.(['a.0']);

    bench.session.receive(acknowledge(1));

    expect(bench.runner.confirmed).toEqual([]);
    expect(bench.sent().map(({ message }) => message?.$case)).toEqual(['hello']);
  });

  it('says Hello that lists it when word of the freeze comes first', () => {
    const bench = stopped();

    bench.runner.events.frozen?.(['a.0']);

    expect(only(bench.sent(), 'hello')[0]?.held).toMatchObject([{ state: HeldState.FROZEN }]);
  });

  it('says Hello again when word of the freeze comes after the Welcome of a Hello that could not list it', () => {
    const bench = stopped();
    const [first] = only(bench.sent(), 'hello');
    bench.session.receive(welcome({ helloNumber: 2, epoch: 200, verdicts: [held('a.0')] }));
    bench.sent();

    bench.runner.events.frozen?.(['a.0']);

    expect(first?.held).toMatchObject([{ state: HeldState.RUNNING }]);
    expect(only(bench.sent(), 'hello')).toMatchObject([{ number: 3, held: [{ state: HeldState.FROZEN }] }]);
  });

  it('says Hello again after the Welcome when word of the freeze came between the two', () => {
    const bench = stopped();
    bench.sent();

    bench.runner.events.frozen?.(['a.0']);
    const beforeWelcome = bench.sent();
    bench.session.receive(welcome({ helloNumber: 2, epoch: 200, verdicts: [held('a.0')] }));

    expect(beforeWelcome).toEqual([]);
    expect(only(bench.sent(), 'hello')).toMatchObject([{ number: 3, held: [{ state: HeldState.FROZEN }] }]);
  });

  it('confirms also what runs as far as it knows: word of the freeze may still be in the pipe', () => {
    const bench = stopped();
    bench.sent();

    bench.session.receive(welcome({ helloNumber: 2, epoch: 200, verdicts: [held('a.0')] }));

    expect(bench.runner.confirmed).toEqual([{ attemptIds: ['a.0'], sentAtUptimeMs: 20_000 }]);
  });

  it('says no further Hello when the runner has thawed it before the Welcome was handled', () => {
    const bench = stopped();
    bench.sent();
    bench.runner.events.frozen?.(['a.0']);
    bench.runner.events.thawed?.(['a.0']);

    bench.session.receive(welcome({ helloNumber: 2, epoch: 200, verdicts: [held('a.0')] }));

    expect(only(bench.sent(), 'hello')).toEqual([]);
  });
});

describe('WorkerSession: heartbeats are acknowledged while something is frozen', () => {
  it('says Hello at once when the executor froze although the lease is good here', () => {
    const bench = running();

    bench.runner.events.frozen?.(['a.0']);

    expect(bench.runner.confirmed).toEqual([]);
    expect(only(bench.sent(), 'hello')).toMatchObject([{ held: [{ state: HeldState.FROZEN }] }]);
  });

  it('says Hello again when it is still frozen an interval after it was asked about, and not before', () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.0')] }));
    bench.sent();

    bench.session.receive(acknowledge(1));
    const early = bench.sent();
    bench.clock.advance(INTERVAL_MS);
    bench.sent();
    bench.session.receive(acknowledge(2));

    expect(only(early, 'hello')).toEqual([]);
    expect(only(bench.sent(), 'hello')).toMatchObject([{ number: 3, held: [{ state: HeldState.FROZEN }] }]);
  });

  it('waits for Held while its pool cannot be asked, but not for longer than that could confirm anything', () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [unknown('a.0')] }));
    bench.sent();
    const beats = [];

    for (let sequence = 1; sequence <= LEASE_MS / INTERVAL_MS; sequence += 1) {
      bench.session.receive(acknowledge(sequence));
      beats.push(only(bench.sent(), 'hello'));
      bench.clock.advance(INTERVAL_MS);
      bench.sent();
    }
    bench.session.receive(acknowledge(5));

    expect(beats.flat()).toEqual([]);
    expect(only(bench.sent(), 'hello')).toMatchObject([{ number: 3 }]);
  });

  it('says Hello again when Held came too late for the runner', () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [unknown('a.0')] }));
    bench.clock.advance(INTERVAL_MS);
    bench.sent();

    bench.session.receive(heldLater(2, held('a.0')));
    bench.session.receive(acknowledge(2));

    expect(only(bench.sent(), 'hello')).toMatchObject([{ number: 3 }]);
  });

  it('waits for no Held of an older Hello', () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [unknown('a.0')] }));
    bench.session.receive({ message: { $case: 'rehello', value: { reason: 'test' } } });
    bench.sent();
    bench.session.receive(welcome({ helloNumber: 3, verdicts: [] }));
    bench.sent();

    bench.clock.advance(INTERVAL_MS);
    bench.sent();
    bench.session.receive(acknowledge(2));

    expect(only(bench.sent(), 'hello')).toMatchObject([{ number: 4 }]);
  });

  it('says no further Hello when nothing is frozen any more', () => {
    const bench = backAgain();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.0')] }));
    bench.runner.events.thawed?.(['a.0']);
    bench.sent();

    bench.clock.advance(INTERVAL_MS);
    bench.sent();
    bench.session.receive(acknowledge(2));

    expect(only(bench.sent(), 'hello')).toEqual([]);
  });
});
