import { systemRandom } from '@orchestrator/core';

import { Dialing, FIRST_BACKOFF_MS, MAX_BACKOFF_MS, QUICK_CONNECT_MS } from './dialing.js';

describe('Dialing', () => {
  const longest = { next: () => 0.999_999, hex: () => '' };

  function take(dialing: Dialing, count: number): string[] {
    return Array.from({ length: count }, () => {
      const { address } = dialing;
      dialing.next();
      return address;
    });
  }

  it('takes the addresses in turn, each as often as the others', () => {
    const seen = take(new Dialing(['a:1', 'b:1', 'a:1', 'c:1'], longest), 6);

    expect(seen.slice(0, 3).sort()).toEqual(['a:1', 'b:1', 'c:1']);
    expect(seen.slice(3)).toEqual(seen.slice(0, 3));
  });

  it('has an order of its own: workers with one list spread over it, and over the rest when one address is gone', () => {
    const workers = 3_000;
    const counts = new Map<string, number>();
    for (let i = 0; i < workers; i++) {
      const [first = '', second = ''] = take(new Dialing(['a:1', 'b:1', 'c:1'], systemRandom), 2);
      counts.set(first, (counts.get(first) ?? 0) + 1);
      counts.set(`${first}>${second}`, (counts.get(`${first}>${second}`) ?? 0) + 1);
    }

    // Six standard deviations.
    for (const [first, others] of Object.entries({
      'a:1': ['b:1', 'c:1'],
      'b:1': ['a:1', 'c:1'],
      'c:1': ['a:1', 'b:1'],
    })) {
      expect(Math.abs((counts.get(first) ?? 0) - workers / 3)).toBeLessThan(155);
      others.forEach((second) => {
        expect(Math.abs((counts.get(`${first}>${second}`) ?? 0) - workers / 6)).toBeLessThan(123);
      });
    }
  });

  it('waits longer while nobody welcomes it, up to a limit, and starts anew after a welcome', () => {
    const dialing = new Dialing(['a:1'], longest);

    const waits = Array.from({ length: 10 }, () => dialing.next());
    dialing.welcomed();

    expect(waits.slice(0, 3)).toEqual([FIRST_BACKOFF_MS, 2 * FIRST_BACKOFF_MS, 4 * FIRST_BACKOFF_MS]);
    expect(waits.at(-1)).toBe(MAX_BACKOFF_MS);
    expect(dialing.next()).toBe(FIRST_BACKOFF_MS);
  });

  it('tries each address once before it waits longer', () => {
    const dialing = new Dialing(['a:1', 'b:1'], longest);

    expect(Array.from({ length: 5 }, () => dialing.next())).toEqual([1, 1, 2, 2, 4].map((n) => n * FIRST_BACKOFF_MS));
  });

  it('gives each address of a list a short time to connect, and a long one when none of them could', () => {
    const dialing = new Dialing(['a:1', 'b:1'], longest);
    dialing.welcomed();

    const limits = Array.from({ length: 4 }, () => {
      dialing.next();
      return dialing.connectLimitMs;
    });

    expect(limits).toEqual([QUICK_CONNECT_MS, QUICK_CONNECT_MS, undefined, undefined]);
    expect(new Dialing(['a:1', 'a:1'], longest).connectLimitMs).toBeUndefined();
  });

  it('is refused without an address', () => {
    expect(() => new Dialing([], longest)).toThrow('expected at least one');
  });
});
