import type { Assignee } from './assignee.js';
import { ReportBuffer, type ReportEntry } from './report-buffer.js';

const LIMITS = { maxEntries: 3, maxBytes: 100, maxBatchBytes: 50 };

const entry = (attemptId: string, bytes = 10, report = attemptId): ReportEntry<string> => ({
  from: undefined as unknown as Assignee,
  ref: { jobId: '', attemptId, fence: 1 },
  report,
  bytes,
  refusals: 0,
});

describe('ReportBuffer', () => {
  it('answers the oldest, as many as one call takes, until they are removed', () => {
    const buffer = new ReportBuffer<string>(LIMITS);
    const [a, b] = [entry('a', 40), entry('b', 40)];
    buffer.add(a);
    buffer.add(b);

    expect(buffer.next()).toEqual([a]);
    buffer.remove(a);

    expect(buffer.next()).toEqual([b]);
  });

  it('takes no more than its limits', () => {
    const buffer = new ReportBuffer<string>(LIMITS);

    expect(['a', 'b', 'c', 'd'].map((id) => buffer.add(entry(id)))).toEqual([true, true, true, false]);
    expect(buffer.add(entry('a', 90))).toBe(false);
  });

  it('takes one of any size when it is empty', () => {
    expect(new ReportBuffer<string>(LIMITS).add(entry('a', 1_000))).toBe(true);
  });

  it('keeps one report per attempt, and the one that replaced another while that was under way', () => {
    const buffer = new ReportBuffer<string>(LIMITS);
    const first = entry('a', 10, 'first');
    const again = entry('a', 10, 'again');
    buffer.add(first);
    buffer.add(again);

    buffer.remove(first);

    expect(buffer.next()).toEqual([again]);
    expect(buffer.size).toBe(1);
  });
});
