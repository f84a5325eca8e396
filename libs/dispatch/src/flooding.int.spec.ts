import { systemRandom } from '@orchestrator/core';
import { FinishedAttempt, Outcome } from '@orchestrator/proto-types';

import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';

describe('a worker that sends more than others', () => {
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

  it('costs one renewal and one acknowledgement for heartbeats that arrive together', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);

    for (let i = 0; i < 500; i += 1) {
      worker.beat();
    }

    await worker.inbox.take('heartbeatAck', ({ sequence }) => sequence === 500);
    expect(worker.inbox.count('heartbeatAck')).toBeLessThan(2);
    expect((await t.registry.get(worker.session))?.renewals).toBeLessThan(4);
  });

  it('FLOODING: is cut off when it sends more messages than any worker has to say, alone', async () => {
    const { dispatch } = await t.scheduler({ messageLimits: { perSecond: 100, burst: 1_000 } });
    const worker = await new ScriptedWorker().connect(dispatch);
    const other = await new ScriptedWorker().connect(dispatch);

    for (let i = 0; i < 50_000; i += 1) {
      worker.grant(1);
    }

    expect(await worker.end).toMatchObject({ code: 'FLOODING' });
    expect(dispatch.counters.floods).toBe(1);
    other.beat();
    await other.inbox.take('heartbeatAck');
  });

  it('FLOODING: is cut off when it beats a thousand times in a moment', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);

    for (let i = 0; i < 2_000; i += 1) {
      worker.beat();
    }

    expect(await worker.end).toEqual({ code: 'FLOODING', detail: 'more than 100 Hellos and heartbeats a second' });
  });

  it('FLOODING: is cut off when it reports attempts without end that it was never given', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);
    const [ulid] = await t.submit(1);
    const attempts = Array.from({ length: 1_002 }, () =>
      FinishedAttempt.fromPartial({
        attempt: { jobId: `default:${ulid}`, attemptId: `${systemRandom.hex(8)}.0`, fence: 1 },
        outcome: Outcome.SUCCEEDED,
      }),
    );

    worker.say({ $case: 'finished', value: { attempts: attempts.slice(0, 1_000), packed: '' } });
    await worker.recorded(); // a mistake: nothing changes
    worker.say({ $case: 'finished', value: { attempts: attempts.slice(1_000), packed: '' } });

    expect(await worker.end).toMatchObject({ code: 'FLOODING' });
    expect((await t.job(ulid as string)).state).toBe('queued');
  });

  it('FLOODING: is cut off amid a message of reports that make no sense, of which the log does not grow', async () => {
    const { dispatch, lines } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);
    const nonsense = [{}, { attempt: { jobId: 'no', attemptId: 'a.0', fence: 1 } }].map((one) =>
      FinishedAttempt.fromPartial(one),
    );
    const attemptId = 'x'.repeat(10_000);
    nonsense.push(
      FinishedAttempt.fromPartial({ attempt: { jobId: `default:${'0'.repeat(26)}`, attemptId, fence: 1 } }),
    );

    const flood = Array.from({ length: 30_000 }, (_, i) => nonsense[i % 3]!);
    worker.say({ $case: 'finished', value: { attempts: flood, packed: '' } });

    expect(await worker.end).toMatchObject({ code: 'FLOODING' });
    const said = lines.filter(({ message }) => message === 'a report that makes no sense was dropped');
    expect(said).toHaveLength(1_001);
    expect(said.filter(({ fields }) => fields['attempt'] !== undefined)).toEqual([]);
  });
});
