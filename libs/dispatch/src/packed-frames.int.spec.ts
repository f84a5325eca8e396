import {
  FinishedAttempt,
  Outcome,
  packEnds,
  type Recorded,
  unpackAssignments,
  unpackIds,
} from '@orchestrator/proto-types';

import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';

describe('frames of text, with a worker that understands them', () => {
  let bench: DispatchBench;
  let t: DispatchSetup;
  let worker: ScriptedWorker;
  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench.stop());
  beforeEach(async () => {
    t = bench.setup();
    const { dispatch } = await t.scheduler();
    worker = new ScriptedWorker({ slots: 3 }).open(dispatch);
    await worker.greet({ packed: true });
  });
  afterEach(() => t.stop());

  const plain = (over: Partial<FinishedAttempt>): FinishedAttempt =>
    FinishedAttempt.fromPartial({ outcome: Outcome.SUCCEEDED, number: 1, ...over });

  const allRecorded = async (count: number): Promise<string[]> => {
    const ids: string[] = [];
    while (ids.length < count) {
      const { attempts, packed }: Recorded = await worker.inbox.take('recorded');
      expect(attempts).toEqual([]);
      ids.push(...unpackIds(packed));
    }
    return ids.sort();
  };

  it('assigns, takes results and records them as it does in fields', async () => {
    const ulids = await t.submit(3);
    worker.grant(3);
    const { attempts, packed } = await worker.inbox.take('assign');
    const assigned = unpackAssignments(packed);
    const [first, second, third] = assigned.map(({ attempt }) => attempt!);

    const failed = plain({ attempt: third!, outcome: Outcome.FAILED, exitCode: 3, failureReason: 'exit_code' });
    const ends = [plain({ attempt: first!, exitCode: 0 }), plain({ attempt: second!, resultJson: '{"a":"b c"}' })];
    worker.say({ $case: 'finished', value: { attempts: [failed], packed: packEnds(ends) } });

    expect(attempts).toEqual([]);
    expect(assigned.map(({ attempt, number }) => [attempt?.jobId, number])).toEqual(
      ulids.map((ulid) => [`default:${ulid}`, 1]),
    );
    expect(await allRecorded(3)).toEqual([first, second, third].map((ref) => ref!.attemptId).sort());
    const jobs = await Promise.all(ulids.map((ulid) => t.job(ulid)));
    expect(jobs.map((job) => [job?.state, job?.end?.exitCode, job?.end?.result])).toEqual([
      ['succeeded', 0, undefined],
      ['succeeded', null, { a: 'b c' }],
      ['failed', 3, undefined],
    ]);
  });

  it('drops lines that make no sense, and takes the others', async () => {
    await t.submit(1);
    worker.grant(1);
    const [assigned] = unpackAssignments((await worker.inbox.take('assign')).packed);
    const attempt = assigned!.attempt!;
    const strange = [
      { ...attempt, jobId: 'nowhere' },
      { ...attempt, attemptId: 'a;b' },
      { ...attempt, fence: NaN },
    ];

    const lines = packEnds([...strange, attempt].map((one) => plain({ attempt: one })));
    worker.say({ $case: 'finished', value: { attempts: [], packed: `nonsense\n${lines}cut` } });

    expect(await allRecorded(1)).toEqual([attempt.attemptId]);
    expect(await t.store.counts('default')).toMatchObject({ succeeded: 1, running: 0 });
  });
});
