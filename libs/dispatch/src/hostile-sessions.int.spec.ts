import { FinishedAttempt, HeldState, Outcome, OutputStream, ReturnReason } from '@orchestrator/proto-types';

import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';

describe('a worker that speaks for another one, and knows all that it needs for that', () => {
  let bench: DispatchBench;
  let t: DispatchSetup;
  let owner: ScriptedWorker;
  let thief: ScriptedWorker;
  let dispatch: Awaited<ReturnType<DispatchSetup['scheduler']>>['dispatch'];
  let ulid: string;
  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench.stop());
  beforeEach(async () => {
    t = bench.setup();
    ({ dispatch } = await t.scheduler());
    [ulid = ''] = await t.submit(1);
    owner = await new ScriptedWorker().connect(dispatch);
    owner.grant();
    await owner.inbox
      .take('assign')
      .then(({ attempts }) => attempts.forEach((one) => owner.held.set(one.attempt!.attemptId, one)));
    thief = await new ScriptedWorker().connect(dispatch);
  });
  afterEach(async () => {
    // Whatever was tried: the owner beats on, and its result is the job's.
    const ended = async (): Promise<void> => {
      owner.beat();
      await owner.inbox.take('heartbeatAck');
      owner.finish([...owner.held.values()], { resultJson: '"its own"' });
      await owner.recorded();
    };
    await ended().finally(() => t.stop());
    expect(await t.job(ulid)).toMatchObject({ state: 'succeeded', worker: owner.id, end: { result: 'its own' } });
  });

  const stolen = () => [...owner.held.values()][0]!;

  it('ownership: a result of an attempt of another session changes nothing', async () => {
    thief.finish([stolen()], { outcome: Outcome.FAILED, resultJson: '"forged"' });

    await thief.recorded();
    expect(dispatch.counters.staleAttempts).toBe(1);
    expect((await t.job(ulid)).state).toBe('running');
  });

  it('ownership: what another session runs is not given back', async () => {
    thief.giveBack(stolen(), ReturnReason.LEASE_LOST, true);

    await thief.recorded();
    expect((await t.job(ulid)).state).toBe('running');
  });

  it('ownership: what it says that it holds is told to be gone, and its result changes nothing even so', async () => {
    const { attempt, number } = stolen();
    thief.hello({ held: [{ attempt, state: HeldState.RUNNING, number }] });
    const finished = FinishedAttempt.fromPartial({ attempt: attempt!, number, outcome: Outcome.FAILED });
    thief.say({ $case: 'finished', value: { attempts: [finished], packed: '' } }); // before its Welcome
    await thief.welcomed();
    thief.say({ $case: 'finished', value: { attempts: [finished], packed: '' } });
    await thief.recorded();

    expect(thief.lastVerdicts).toHaveLength(1);
    expect((await t.job(ulid)).state).toBe('running');
  });

  it('ownership: output is not written to an attempt of another session', async () => {
    const { attempt } = stolen();
    const chunk = { attempt, stream: OutputStream.STDOUT, offset: 0, sequence: 1, data: Buffer.from('forged') };
    const writer = { session: thief.session, worker: thief.id };

    const written = dispatch.acceptOutput({ chunks: [chunk] }, new AbortController().signal, writer);

    await expect(written).rejects.toMatchObject({ code: 'FOREIGN_SESSION' });
    expect(await t.store.readOutput('default', ulid, 1)).toBeUndefined();
  });

  it('ownership: a last will in the name of another worker is refused', async () => {
    const will = { worker: thief.id, session: owner.session, reason: 'process_ended', detail: '' } as const;

    await expect(dispatch.gone(will)).rejects.toMatchObject({ code: 'FOREIGN_SESSION' });
  });

  it('ownership: a Hello for the session of another worker is refused, by name', async () => {
    thief.hello({ session: owner.session, number: 1_000 });

    expect(await thief.end).toMatchObject({ code: 'FOREIGN' });
  });
});

describe('a worker that wants more than any has', () => {
  let bench: DispatchBench;
  let t: DispatchSetup;
  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench.stop());
  beforeEach(() => {
    t = bench.setup();
  });
  afterEach(() => t.stop());

  it('is refused when it claims slots without end', async () => {
    const { dispatch } = await t.scheduler();
    const worker = new ScriptedWorker({ slots: 2_001 }).open(dispatch);

    worker.hello();

    expect(await worker.end).toEqual({ code: 'PROTOCOL', detail: 'slots is 2001: expected at most 2000' });
  });

  it('is given no more than its slots and a little, however much it grants, and the rest goes to others', async () => {
    const { dispatch } = await t.scheduler();
    await t.submit(1_500);
    const greedy = await new ScriptedWorker({ slots: 10 }).connect(dispatch);

    greedy.grant(1_000_000_000);

    await t.until(
      'it has what it gets',
      () => Promise.resolve(greedy.assigned),
      (assigned) => assigned === 1_010,
    );
    const modest = await new ScriptedWorker().connect(dispatch);
    modest.grant(490);
    await t.until(
      'the other one has the rest',
      () => Promise.resolve(modest.assigned),
      (assigned) => assigned === 490,
    );
    expect(greedy.assigned).toBe(1_010);
    greedy.finish([...greedy.held.values()].slice(0, 5));
    await t.submit(10);
    await t.until(
      'it gets on',
      () => Promise.resolve(greedy.assigned),
      (assigned) => assigned === 1_015,
    );
  });

  it('costs the scheduler nothing any more for pools that it has named and left', async () => {
    const { dispatch } = await t.scheduler();
    const neighbour = await new ScriptedWorker({ pools: ['its-own'] }).connect(dispatch);
    const pools = (round: number): string[] => Array.from({ length: 100 }, (_, index) => `pool-${round}-${index}`);

    for (let round = 0; round < 8; round += 1) {
      const worker = await new ScriptedWorker({ pools: pools(round) }).connect(dispatch);
      worker.break();
    }

    expect(dispatch.knownPools()).toBeLessThanOrEqual(301);
    neighbour.grant();
    const [ulid = ''] = await t.submit(1, { pool: 'its-own' });
    neighbour.finish([await neighbour.assignment()]);
    await neighbour.recorded();
    expect((await t.job(ulid, 'its-own')).state).toBe('succeeded');
  });
});
