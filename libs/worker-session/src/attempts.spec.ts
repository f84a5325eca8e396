import { Attempts, type AttemptState } from './attempts.js';
import { aRef } from './testing/messages.js';

describe('Attempts', () => {
  const setup = (...ids: string[]) => {
    const attempts = new Attempts();
    const rest = { spec: { name: 'n' }, specJson: '{"name":"n"}', number: 1, traceparent: '', arrivedAtMs: 0 };
    ids.forEach((id) => attempts.add({ ref: aRef(id), ...rest }));
    const idsIn = (...states: AttemptState[]) => attempts.in(...states).map(({ ref }) => ref.attemptId);
    return { attempts, idsIn, get: (id: string) => attempts.get(id)! };
  };

  it('keeps those of a state in the order in which they came to it, wherever one leaves', () => {
    const { attempts, idsIn, get } = setup('a', 'b', 'c', 'd', 'e');

    ['c', 'a', 'e'].forEach((id) => attempts.move(get(id), 'running'));
    attempts.move(get('a'), 'finished');
    attempts.move(get('b'), 'running');

    expect(idsIn('waiting')).toEqual(['d']);
    expect(idsIn('running', 'finished')).toEqual(['c', 'e', 'b', 'a']);
    expect(attempts.first('waiting')?.ref.attemptId).toBe('d');
    expect(attempts.countOf('waiting', 'running')).toBe(4);
  });

  it('knows nothing of what was removed, in the middle, at the ends, or as the last', () => {
    const { attempts, idsIn, get } = setup('a', 'b', 'c', 'd');

    attempts.remove(get('b'));
    attempts.remove(get('a'));
    attempts.remove(get('d'));
    const left = idsIn('waiting');
    attempts.remove(get('c'));

    expect(left).toEqual(['c']);
    expect([idsIn('waiting'), attempts.first('waiting'), attempts.size]).toEqual([[], undefined, 0]);
  });
});
