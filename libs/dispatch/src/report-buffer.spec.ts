import type { Assignee } from './assignee.js';
import { ReportBuffer, type ReportEntry } from './report-buffer.js';

const LIMITS = { maxEntries: 3, maxBytes: 100, maxBatchBytes: 50 };

const entry = (attemptId: string, bytes = 10, report = attemptId): ReportEntry<string> => ({
  from: undefined as unknown as Assignee,
  ref: { jobId: '', attemptId, fence: 1 },
  report,
  bytes,
  weight: 1,
  refusals: 0,
  isSent: false,
});

describe('ReportBuffer', () => {
  it('sends the oldest, as many as one call takes, each in one call at a time', () => {
    const buffer = new ReportBuffer<string>(LIMITS);
    const [a, b, c] = [entry('a', 40), entry('b', 40), entry('c', 20)];
    [a, b, c].forEach((each) => buffer.add(each));

    expect(buffer.send()).toEqual([a]);
    expect(buffer.send(1)).toEqual([b]);
    expect([buffer.size, buffer.unsent]).toEqual([3, 1]);
    buffer.remove(a);

    expect(buffer.send()).toEqual([c]);
    expect([buffer.size, buffer.unsent]).toEqual([2, 0]);
  });

  it('sends again, in its place, what did not arrive', () => {
    const buffer = new ReportBuffer<string>(LIMITS);
    const [a, b] = [entry('a'), entry('b')];
    buffer.add(a);
    buffer.add(b);
    const sent = buffer.send(1);
    buffer.unsend(sent);

    expect(buffer.unsent).toBe(2);
    expect(buffer.send()).toEqual([a, b]);
    buffer.remove(a);
    buffer.unsend([a]);
    expect(buffer.unsent).toBe(0);
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
    buffer.send();
    buffer.add(again);

    buffer.remove(first);

    expect(buffer.unsent).toBe(1);
    expect(buffer.send()).toEqual([again]);
    expect(buffer.size).toBe(1);
  });
});
