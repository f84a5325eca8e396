import { Dialing, FIRST_BACKOFF_MS, MAX_BACKOFF_MS } from './dialing.js';

describe('Dialing', () => {
  const longest = { next: () => 0.999_999, hex: () => '' };

  it('takes the addresses in turn', () => {
    const dialing = new Dialing(['a:1', 'b:1'], longest);

    const seen = [0, 1, 2].map(() => {
      const { address } = dialing;
      dialing.next();
      return address;
    });

    expect(seen).toEqual(['a:1', 'b:1', 'a:1']);
  });

  it('waits longer while nobody welcomes it, up to a limit, and starts anew after a welcome', () => {
    const dialing = new Dialing(['a:1'], longest);

    const waits = Array.from({ length: 10 }, () => dialing.next());
    dialing.welcomed();

    expect(waits.slice(0, 3)).toEqual([FIRST_BACKOFF_MS, 2 * FIRST_BACKOFF_MS, 4 * FIRST_BACKOFF_MS]);
    expect(waits.at(-1)).toBe(MAX_BACKOFF_MS);
    expect(dialing.next()).toBe(FIRST_BACKOFF_MS);
  });

  it('is refused without an address', () => {
    expect(() => new Dialing([], longest)).toThrow('expected at least one');
  });
});
