import { HeldState, ReturnReason } from '@orchestrator/proto-types';

import { anEnd } from './testing/fake-runner.js';
import { aRef, assign, held, only, welcome } from './testing/messages.js';
import { SessionBench } from './testing/session-bench.js';

describe('WorkerSession: Hello and epochs', () => {
  it('says Hello first, with all that it is', () => {
    const bench = new SessionBench();

    bench.session.attach();

    expect(only(bench.sent(), 'hello')).toEqual([
      expect.objectContaining({
        workerId: 'worker-1',
        session: 'session-1',
        number: 1,
        hasRun: false,
        slots: 2,
        held: [],
      }),
    ]);
  });

  it('warns of a scheduler whose version is too far from its own, naming both', () => {
    const bench = new SessionBench();
    bench.session.attach();
    bench.sent();

    bench.session.receive(welcome({ schedulerId: 'scheduler-9', schedulerVersion: '0.3.1' }));

    expect(bench.session.isWelcomed).toBe(true);
    expect(bench.warnings).toEqual([
      [
        expect.stringContaining('more than 1 minor version away'),
        { scheduler: 'scheduler-9', version: '0.3.1', own: '0.1.0' },
      ],
    ]);
  });

  it('says nothing of a scheduler from before Welcome named its version', () => {
    const bench = new SessionBench();
    bench.session.attach();
    bench.sent();

    bench.session.receive(welcome({ schedulerVersion: '' }));

    expect(bench.warnings).toEqual([]);
  });

  it('no epoch is current from a Hello until its own Welcome: sends nothing', () => {
    const bench = new SessionBench();
    bench.session.attach();
    bench.sent();

    bench.clock.advance(3_000);

    expect(bench.sent()).toEqual([]);
  });

  it('no epoch is current from a Hello until its own Welcome: ignores that of an old Hello', () => {
    const bench = new SessionBench();
    bench.session.attach();
    bench.sent();
    bench.session.detach();
    bench.session.attach();
    bench.sent();

    bench.session.receive(welcome({ helloNumber: 1 }));

    expect(bench.session.isWelcomed).toBe(false);
    expect(bench.sent()).toEqual([]);
  });

  it('no epoch is current from a Hello until its own Welcome: ignores a Held that names another Hello', () => {
    const bench = new SessionBench().welcomed();

    bench.session.receive({ message: { $case: 'held', value: { helloNumber: 7, verdicts: [held('a.0')] } } });

    expect(only(bench.sent(), 'returned')).toEqual([]);
  });

  it('no epoch is current from a Hello until its own Welcome: drops an Assign', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive({ message: { $case: 'rehello', value: { reason: 'claim without an answer' } } });
    bench.sent();

    bench.session.receive(assign(100, 'a.0'));

    expect(bench.runner.ran).toEqual([]);
  });

  it('drops an Assign of another epoch', () => {
    const bench = new SessionBench().welcomed();

    bench.session.receive(assign(99, 'a.0'));

    expect(bench.runner.ran).toEqual([]);
  });

  it('says Hello again on Rehello, with a higher number and what it holds', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));
    bench.sent();

    bench.session.receive({ message: { $case: 'rehello', value: { reason: 'test' } } });

    expect(only(bench.sent(), 'hello')).toEqual([
      expect.objectContaining({
        number: 2,
        hasRun: true,
        held: [{ attempt: aRef('a.0'), state: HeldState.RUNNING, number: 1 }],
      }),
    ]);
  });

  it('beats at once after a Welcome, which takes the place of its worker id', () => {
    const bench = new SessionBench().welcomed();

    expect(only(bench.sent(), 'heartbeat')).toEqual([
      expect.objectContaining({ epoch: 100, sequence: 1, acknowledged: 0, freeSlots: 2 }),
    ]);
  });

  it('leaves a link whose Hello is not answered for two intervals', () => {
    const bench = new SessionBench();
    bench.session.attach();
    bench.sent();

    bench.clock.advance(6_000);

    expect(bench.left).toHaveLength(1);
  });

  it('leaves a link that does not even take its Hello for two intervals', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive({ message: { $case: 'rehello', value: { reason: 'test' } } });

    bench.clock.advance(6_000);

    expect(bench.left).toEqual(['no welcome']);
  });

  it('leaves a link on which heartbeats are not acknowledged for two intervals', () => {
    const bench = new SessionBench().welcomed();
    bench.sent();

    bench.clock.advance(6_000);

    expect(bench.left).toHaveLength(1);
  });
});

describe('WorkerSession: the lease', () => {
  it('counts from the sending of the Hello', () => {
    const bench = new SessionBench();
    bench.session.attach();
    bench.sent();
    bench.clock.advance(1_000);

    bench.session.receive(welcome());

    expect(bench.runner.leases).toEqual([{ sentAtUptimeMs: 0, leaseMs: 12_000 }]);
  });

  it('counts from the sending of the acknowledged heartbeat', () => {
    const bench = new SessionBench().welcomed();
    bench.clock.advance(3_000);
    bench.sent();
    bench.clock.advance(500);

    bench.session.receive({ message: { $case: 'heartbeatAck', value: { sequence: 2 } } });

    expect(bench.runner.leases.at(-1)).toEqual({ sentAtUptimeMs: 3_000, leaseMs: 12_000 });
  });

  it('says nothing about old attempts after a stop that outlasted the lease, but Hello', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));
    bench.sent();

    bench.clock.jump(20_000);
    bench.runner.succeed('a.0');

    expect(bench.sent().map(({ message }) => message?.$case)).toEqual(['hello']);
  });

  it('sends what ended before the stop once the store confirms it', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));
    bench.sent();
    bench.clock.jump(20_000);
    bench.runner.succeed('a.0');
    bench.sent();

    bench.session.receive(welcome({ helloNumber: 2, epoch: 200, verdicts: [held('a.0')] }));

    expect(only(bench.sent(), 'finished').flatMap(({ attempts }) => attempts)).toHaveLength(1);
  });

  it('starts nothing under a lease that has run out', () => {
    const bench = new SessionBench().welcomed();
    bench.sent();
    bench.clock.jump(12_000);

    bench.session.receive(assign(100, 'a.0'));

    expect(bench.runner.ran).toEqual([]);
  });

  it('returns what the executor killed at the end of the lease', () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));
    bench.session.detach();

    bench.runner.events.leaseLost(['a.0']);
    bench.session.attach();
    const [hello] = only(bench.sent(), 'hello');
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.0')] }));

    expect(hello?.held).toEqual([{ attempt: aRef('a.0'), state: HeldState.RETURNED, number: 1 }]);
    expect(only(bench.sent(), 'returned')).toEqual([
      { attempts: [{ attempt: aRef('a.0'), reason: ReturnReason.LEASE_LOST, started: true }] },
    ]);
  });
});

describe('WorkerSession: its end', () => {
  it('dead is for ever: kills everything and forgets it', async () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));

    bench.session.receive({ message: { $case: 'sessionDead', value: { reason: 'silent' } } });

    await expect(bench.session.ended).resolves.toEqual({ kind: 'dead', reason: 'silent' });
    expect(bench.runner.killedAll).toBe(1);
    expect(bench.sent()).toEqual([]);
  });

  it('reports nothing that ends after it was superseded', async () => {
    const bench = new SessionBench().welcomed();
    bench.session.receive(assign(100, 'a.0'));

    bench.session.receive({ message: { $case: 'superseded', value: { bySession: 'session-2' } } });
    bench.runner.events.ended(anEnd('a.0'));

    await expect(bench.session.ended).resolves.toEqual({ kind: 'superseded', bySession: 'session-2' });
    expect(bench.sent()).toEqual([]);
  });

  it('moves to another scheduler on Reconnect', () => {
    const bench = new SessionBench().welcomed();

    bench.session.receive({ message: { $case: 'reconnect', value: { reason: 'stopping' } } });

    expect(bench.left).toEqual(['stopping']);
  });

  it('says Hello as draining when a drain begins, and grants nothing more', () => {
    const bench = new SessionBench().welcomed();
    bench.sent();

    bench.session.drain();
    const [hello] = only(bench.sent(), 'hello');
    bench.session.receive(welcome({ helloNumber: 2 }));

    expect(hello?.draining).toBe(true);
    expect(only(bench.sent(), 'credit')).toEqual([]);
  });

  it('returns what had not started when the drain began', () => {
    const bench = new SessionBench({ slots: 1 }).welcomed();
    bench.session.receive(assign(100, 'a.0', 'a.1'));

    bench.session.drain();
    bench.sent();
    bench.session.receive(welcome({ helloNumber: 2, verdicts: [held('a.0'), held('a.1')] }));

    const returned = only(bench.sent(), 'returned').flatMap(({ attempts }) => attempts);
    expect(returned.map(({ attempt }) => attempt?.attemptId)).toEqual(['a.1']);
  });
});
