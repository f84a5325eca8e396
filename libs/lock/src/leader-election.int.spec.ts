import { systemClock, systemRandom } from '@orchestrator/core';
import { createDeferred } from '@orchestrator/lifecycle';
import { silentLogger } from '@orchestrator/telemetry';

import { LeaderElection, type Leadership, type LeaderElectionParams, STEP_DOWN_MS } from './leader-election.js';
import { lockKey } from './redlock-lock.js';
import { abortWithin, type LockBench, startLockBench, TTL_MS } from './testing/lock-bench.js';
import { StoppableClock } from './testing/stoppable-clock.js';

/** An expired lease, a pause, a retry, and what a busy machine adds. */
const FOLLOW_MS = TTL_MS + 5_000;

interface Lead {
  candidate: string;
  term: number;
  signal: AbortSignal;
}

describe('LeaderElection', () => {
  let bench: LockBench;
  const elections: LeaderElection[] = [];

  beforeEach(async () => {
    bench = await startLockBench(1);
  });

  afterEach(async () => {
    await bench.servers[0]?.signal('SIGCONT');
    await Promise.all(elections.splice(0).map((election) => election.stop()));
    await bench.stop();
  });

  function setup() {
    const leads: Lead[] = [];
    const changes: (Leadership & { candidate: string })[] = [];
    let term = 0;
    let wake = createDeferred();
    const notify = (): void => {
      wake.resolve();
      wake = createDeferred();
    };
    const elect = (candidate: string, over: Partial<LeaderElectionParams> = {}): LeaderElection => {
      const election = new LeaderElection({
        lock: bench.newLock(),
        candidate,
        mintTerm: () => Promise.resolve(++term),
        lead: (given, signal) => {
          leads.push({ candidate, term: given, signal });
          notify();
          return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
        },
        onChange: (leadership) => {
          changes.push({ candidate, ...leadership });
          notify();
        },
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
        ...over,
      });
      elections.push(election);
      return election;
    };
    const until = async (what: string, holds: () => boolean): Promise<void> => {
      const limit = setTimeout(() => wake.reject(new Error(`did not happen: ${what}`)), FOLLOW_MS);
      try {
        while (!holds()) {
          await wake.promise;
        }
      } finally {
        clearTimeout(limit);
      }
    };
    return { leads, changes, elect, until, notify };
  }

  it('lets one of two lead, and the other one as soon as that one is stopped', async () => {
    const { leads, changes, elect, until } = setup();
    const [one, two] = [elect('one'), elect('two')];

    await Promise.all([one.start(), two.start(), one.start()]);
    await until('somebody leads', () => leads.length === 1);
    const [leader, follower] = one.isLeader ? [one, two] : [two, one];
    expect(leader.term).toBe(1);
    expect(follower.isLeader).toBe(false);
    expect(follower.term).toBeUndefined();
    await leader.stop();
    await until('the other one leads', () => leads.length === 2);

    expect(leads[0]?.signal.aborted).toBe(true);
    expect(leader.isLeader).toBe(false);
    expect(follower.term).toBe(2);
    expect(changes.map(({ isLeader, term }) => [isLeader, term])).toEqual([
      [true, 1],
      [false, 1],
      [true, 2],
    ]);
  });

  it('steps down while Redis hangs, and leads again under a higher term', async () => {
    const { leads, changes, elect, until } = setup();
    const election = elect('one');
    await election.start();
    await until('it leads', () => leads.length === 1);
    const startMs = performance.now();

    await bench.servers[0]?.signal('SIGSTOP');
    await until('it steps down', () => changes.length === 2);
    expect(performance.now() - startMs).toBeLessThan(TTL_MS + STEP_DOWN_MS);
    expect(leads[0]?.signal.aborted).toBe(true);
    expect(election.isLeader).toBe(false);
    await bench.servers[0]?.signal('SIGCONT');
    await until('it leads again', () => leads.length === 2);

    expect(election.term).toBe(2);
  });

  it('is no leader any more when it wakes after it was stopped for longer than its lease', async () => {
    const { leads, elect, until } = setup();
    const stoppable = new StoppableClock();
    const sleeper = elect('sleeper', { lock: bench.newLock({ clock: stoppable }), clock: stoppable });
    await sleeper.start();
    await until('it leads', () => leads.length === 1);

    stoppable.stop();
    await elect('successor').start();
    await until('the other one leads', () => leads.length === 2);
    expect(leads[1]).toMatchObject({ candidate: 'successor', term: 2 });
    expect(sleeper.isLeader).toBe(false);
    expect(leads[0]?.signal.aborted).toBe(false);
    stoppable.wake();

    await abortWithin(leads[0]?.signal ?? new AbortController().signal, STEP_DOWN_MS);
    expect(leads[1]?.signal.aborted).toBe(false);
  });

  it('campaigns again when its lock is lost', async () => {
    const { leads, elect, until } = setup();
    await elect('one').start();
    await until('it leads', () => leads.length === 1);

    await bench.remove(lockKey('leader'));
    await until('it leads again', () => leads.length === 2);

    expect(leads.map(({ term }) => term)).toEqual([1, 2]);
  });

  it('gives the lock back when no term can be minted', async () => {
    const { leads, elect, until, notify } = setup();
    let failures = 0;
    const failing = elect('failing', {
      mintTerm: () => {
        failures++;
        notify();
        return Promise.reject(new Error('Redis is away'));
      },
    });
    await failing.start();
    await until('it has won and failed', () => failures === 1);

    await elect('two').start();
    await until('the other one leads', () => leads.length === 1);

    expect(leads[0]?.candidate).toBe('two');
    expect(failing.isLeader).toBe(false);
  });

  it('gives the leadership back when it resigns, or leading ends or fails', async () => {
    const { leads, elect, until, notify } = setup();
    let leadings = 0;
    const election = elect('one', {
      lead: (term, signal) => {
        leads.push({ candidate: 'one', term, signal });
        leadings++;
        notify();
        if (leadings === 1) {
          return Promise.resolve();
        }
        if (leadings === 2) {
          return Promise.reject(new Error('cannot lead'));
        }
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    });

    await election.start();
    await until('it leads for the third time', () => leadings === 3);
    election.resign();
    expect(election.isLeader).toBe(false);
    await until('it leads for the fourth time', () => leadings === 4);

    expect(leads.map(({ term }) => term)).toEqual([1, 2, 3, 4]);
  });

  it('does not lead again before it has ended to lead, though others do', async () => {
    const { leads, elect, until } = setup();
    const slow = createDeferred();
    const election = elect('slow', {
      lead: (term, signal) => {
        leads.push({ candidate: 'slow', term, signal });
        return slow.promise;
      },
    });
    await election.start();
    await until('it leads', () => election.isLeader);
    await elect('two').start();

    election.resign();
    await until('the other one leads', () => leads.length === 2);
    expect(leads[1]?.candidate).toBe('two');

    slow.resolve();
  });

  it('survives any order of start and stop', async () => {
    const { leads, elect, until } = setup();
    const election = elect('one');

    await election.stop();
    await Promise.all([election.start(), election.stop(), election.start(), election.stop(), election.stop()]);
    await election.start();
    await until('it leads', () => election.isLeader);
    await election.stop();

    expect(leads.at(-1)?.signal.aborted).toBe(true);
    expect(await bench.holders(lockKey('leader'))).toEqual([null]);
  });
});
