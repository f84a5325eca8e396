import { type AttemptRef } from '@orchestrator/proto-types';
import { SchemaMismatchError, type SettleVerdict, StoreUnavailableError } from '@orchestrator/queue';
import { silentLogger } from '@orchestrator/telemetry';

import type { Assignee } from './assignee.js';
import { ReportFlusher } from './report-flusher.js';

const ref = (attemptId: string): AttemptRef => ({ jobId: 'default:x', attemptId, fence: 1 });

function aWorker(): { worker: Assignee; recorded: string[]; rehellos: string[] } {
  const seen = { recorded: [] as string[], rehellos: [] as string[] };
  const worker = {
    session: 's',
    worker: 'w',
    recorded: (refs: readonly AttemptRef[]) => void seen.recorded.push(...refs.map(({ attemptId }) => attemptId)),
    rehello: (reason: string) => void seen.rehellos.push(reason),
  } as unknown as Assignee;
  return Object.assign(seen, { worker });
}

function setup(answer: (reports: readonly string[]) => SettleVerdict[]) {
  const sent: (readonly string[])[] = [];
  const verdicts: SettleVerdict[] = [];
  const flusher = new ReportFlusher<string>({
    pool: 'default',
    what: 'settlement',
    logger: silentLogger,
    bytesOf: () => 1,
    weightOf: () => 1,
    onVerdict: (verdict) => verdicts.push(verdict),
    send: async (reports) => {
      sent.push(reports);
      return answer(reports);
    },
  });
  return { flusher, sent, verdicts, ...aWorker() };
}

const accept = (reports: readonly string[]): SettleVerdict[] => reports.map(() => 'accepted');

describe('ReportFlusher', () => {
  it('tells Recorded what the store has, stale or not', async () => {
    const t = setup((reports) => reports.map((report) => (report === 'b' ? 'stale' : 'accepted')));
    ['a', 'b'].forEach((id) => t.flusher.add(t.worker, ref(id), id));

    expect(await t.flusher.flush()).toBe('empty');

    expect(t.recorded).toEqual(['a', 'b']);
    expect(t.verdicts).toEqual(['accepted', 'stale']);
    expect(t.flusher.size).toBe(0);
  });

  it('keeps and repeats what was not answered', async () => {
    let up = false;
    const t = setup((reports) => {
      if (!up) {
        throw new StoreUnavailableError('away', { mayHaveExecuted: true });
      }
      return accept(reports);
    });
    t.flusher.add(t.worker, ref('a'), 'a');

    expect(await t.flusher.flush()).toBe('failed');
    expect(t.recorded).toEqual([]);
    up = true;

    expect(await t.flusher.flush()).toBe('empty');
    expect(t.recorded).toEqual(['a']);
  });

  it('sends a refused batch one by one, gives the bad one up, and lets nobody wait for it', async () => {
    const t = setup((reports) => {
      if (reports.includes('bad')) {
        throw new SchemaMismatchError('bad');
      }
      return accept(reports);
    });
    ['good', 'bad', 'fine'].forEach((id) => t.flusher.add(t.worker, ref(id), id));

    for (let turn = 0; t.flusher.size > 0 && turn < 10; turn += 1) {
      await t.flusher.flush();
    }

    expect(t.recorded).toEqual(['good', 'fine']);
    expect(t.sent.slice(1).every((batch) => batch.length === 1)).toBe(true);
  });

  it('asks the worker again for what found no room, when there is some', async () => {
    const t = setup(accept);
    for (let i = 0; i < 10_001; i += 1) {
      t.flusher.add(t.worker, ref(`a${i}`), 'x');
    }
    expect(t.flusher.size).toBe(10_000);

    while ((await t.flusher.flush()) === 'more') {
      // until it is empty
    }

    expect(t.rehellos).toHaveLength(1);
  });
});
