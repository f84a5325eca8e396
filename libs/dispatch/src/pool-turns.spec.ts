import { PoolTurns } from './pool-turns.js';

describe('PoolTurns', () => {
  const turnsOf = (...pools: string[]): PoolTurns => {
    const turns = new PoolTurns();
    pools.forEach((pool) => {
      turns.add(pool);
      turns.served(pool);
    });
    return turns;
  };

  it('lets a pool take when nobody who waited longer is hungry', () => {
    const turns = turnsOf('red', 'blue');

    expect(turns.mayTake('blue', () => false)).toBe(true);
    expect(turns.mayTake('blue', () => true)).toBe(false);
    expect(turns.mayTake('red', () => true)).toBe(true);
  });

  it('puts the pool that was served behind the others', () => {
    const turns = turnsOf('red', 'blue');

    turns.served('red');

    expect(turns.mayTake('red', () => true)).toBe(false);
    expect(turns.mayTake('blue', () => true)).toBe(true);
  });
});
