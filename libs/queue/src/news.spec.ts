import { parseNews } from './news.js';

describe('parseNews', () => {
  it('reads each line as an event', () => {
    const text = [
      'queued 01A 0 -',
      'scheduled 01A 0 - 1700000000000',
      'started 01A 1 worker-1 5e55',
      'cancel 01A 1 worker-1 5e55',
      'retrying 01A 1 worker-1 1700000000000',
      'reassigned 01A 1 worker-1',
    ].join('\n');

    expect(parseNews(text)).toEqual([
      { type: 'queued', ulid: '01A', start: 0, worker: undefined },
      { type: 'scheduled', ulid: '01A', start: 0, worker: undefined, dueAt: 1_700_000_000_000 },
      { type: 'started', ulid: '01A', start: 1, worker: 'worker-1', session: '5e55' },
      { type: 'cancel', ulid: '01A', start: 1, worker: 'worker-1', session: '5e55' },
      { type: 'retrying', ulid: '01A', start: 1, worker: 'worker-1', dueAt: 1_700_000_000_000 },
      { type: 'reassigned', ulid: '01A', start: 1, worker: 'worker-1' },
    ]);
  });

  it('leaves out what it does not know', () => {
    expect(parseNews('\nsingle\nexploded 01A 1 worker-1\nqueued')).toEqual([]);
  });
});
