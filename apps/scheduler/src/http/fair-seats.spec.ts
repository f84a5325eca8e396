import { FairSeats } from './fair-seats.js';

const LIMIT = 10;

function fill(seats: FairSeats, caller: string, count: number): { given: number; pushedOut: number } {
  const seen = { given: 0, pushedOut: 0 };
  for (let index = 0; index < count; index += 1) {
    seen.given += seats.take(caller, () => (seen.pushedOut += 1)) === undefined ? 0 : 1;
  }
  return seen;
}

describe('places that are all taken', () => {
  it('are given by who has the most to who has fewer, down to the same number', () => {
    const seats = new FairSeats(LIMIT);
    const first = fill(seats, 'a', 12);

    const second = fill(seats, 'b', 12);

    expect(first).toEqual({ given: 10, pushedOut: 5 });
    expect(second).toEqual({ given: 5, pushedOut: 0 });
    expect(seats.taken).toBe(LIMIT);
  });

  it('are left by who has been there for longest', () => {
    const seats = new FairSeats(2);
    const left: string[] = [];
    seats.take('a', () => left.push('first'));
    seats.take('a', () => left.push('second'));

    seats.take('b', () => undefined);

    expect(left).toEqual(['first']);
  });

  it('are free again when they are given back, once', () => {
    const seats = new FairSeats(1);
    const leave = seats.take('a', () => undefined);
    leave?.();
    leave?.();

    expect(seats.taken).toBe(0);
    expect(seats.take('b', () => undefined)).toBeDefined();
    expect(seats.take('a', () => undefined)).toBeUndefined();
  });
});
