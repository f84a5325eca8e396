import { packAssignments, packIds, unpackEnds } from '@orchestrator/proto-types';

import { anEnd } from './testing/fake-runner.js';
import { anAssignment, aRef, assign, only, recorded, welcome } from './testing/messages.js';
import { SessionBench } from './testing/session-bench.js';

describe('WorkerSession: frames of text', () => {
  const setup = (packed: boolean): { bench: SessionBench; hellos: unknown[] } => {
    const bench = new SessionBench();
    bench.session.attach();
    const hellos = only(bench.sent(), 'hello');
    bench.session.receive(welcome({ packed }));
    bench.sent();
    return { bench, hellos };
  };

  it('says that it understands them, runs what comes so, and forgets what is recorded so', () => {
    const { bench, hellos } = setup(true);
    const attempts = ['a.0', 'a.1'].map((id) => {
      const { attempt, specJson, number } = anAssignment(id);
      return { attempt: attempt ?? aRef(id), specJson, number };
    });

    bench.session.receive({
      message: { $case: 'assign', value: { epoch: 100, attempts: [], packed: packAssignments(attempts) } },
    });
    bench.runner.events.ended(anEnd('a.0'));
    bench.sent();
    bench.session.receive({ message: { $case: 'recorded', value: { attempts: [], packed: packIds([aRef('a.0')]) } } });

    expect(hellos).toEqual([expect.objectContaining({ packed: true })]);
    expect(bench.runner.ran).toEqual(['a.0', 'a.1']);
    expect(bench.session.flow.attempts.get('a.0')).toBeUndefined();
  });

  it('tells plain ends so where the scheduler understands them, and all others in fields', () => {
    const { bench } = setup(true);
    bench.session.receive(assign(100, 'a.0', 'a.1'));

    bench.runner.events.ended(anEnd('a.0'));
    bench.runner.events.ended({ ...anEnd('a.1'), outcome: 'failed' });

    const told = only(bench.sent(), 'finished');
    const packed = told.flatMap((one) => unpackEnds(one.packed));
    expect(packed.map(({ attempt, number }) => [attempt, number])).toEqual([[aRef('a.0'), 1]]);
    expect(told.flatMap((one) => one.attempts).map(({ attempt }) => attempt)).toEqual([aRef('a.1')]);
  });

  it('tells all ends in fields where the scheduler has not said that it understands more', () => {
    const { bench } = setup(false);
    bench.session.receive(assign(100, 'a.0'));

    bench.runner.events.ended(anEnd('a.0'));

    expect(only(bench.sent(), 'finished')).toEqual([
      { attempts: [expect.objectContaining({ attempt: aRef('a.0') })], packed: '' },
    ]);
    bench.session.receive(recorded('a.0'));
    expect(bench.session.flow.attempts.get('a.0')).toBeUndefined();
  });
});
