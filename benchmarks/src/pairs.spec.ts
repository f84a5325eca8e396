import { pairedRatios, valuesOf } from './pairs.js';
import { median } from './statistics.js';
import type { RoundResult } from './workload.js';

const OURS = { participant: 'ours', figure: 'rate' };
const PEER = { participant: 'peer', figure: 'rate' };

const rounds = (...pairs: [ours: number, peer: number][]): RoundResult[] =>
  pairs.flatMap(([ours, peer], index) => [
    { round: index + 1, participant: 'ours', figures: { rate: ours } },
    { round: index + 1, participant: 'peer', figures: { rate: peer } },
  ]);

describe('pairedRatios', () => {
  it('divides what was measured in the same round', () => {
    expect(pairedRatios(rounds([10, 5], [30, 10]), OURS, PEER)).toEqual([2, 3]);
  });

  it('is not led astray by a machine that gets slower, as a ratio of medians would be', () => {
    const drifting = rounds([200, 100], [20, 10], [100, 50], [2, 1], [40, 20]);
    const swapped = drifting.map((each) => ({ ...each, round: 6 - each.round }));

    expect(median(pairedRatios(drifting, OURS, PEER))).toBe(2);
    expect(pairedRatios(swapped, OURS, PEER)).toEqual([2, 2, 2, 2, 2]);
  });

  it('has no ratio for a round in which one of them is missing', () => {
    const all = rounds([10, 5], [30, 10]).filter(({ round, participant }) => round === 2 || participant === 'ours');

    expect(pairedRatios(all, OURS, PEER)).toEqual([3]);
  });

  it('has no ratio of a figure that nobody measured', () => {
    expect(pairedRatios(rounds([10, 5]), OURS, { participant: 'peer', figure: 'latency' })).toEqual([]);
  });

  it('goes by the number of the round and not by its place', () => {
    const mixed = rounds([10, 5], [30, 10]).reverse();

    expect(pairedRatios(mixed, OURS, PEER)).toEqual([2, 3]);
  });
});

describe('valuesOf', () => {
  it('is one figure of one participant, round by round', () => {
    expect(valuesOf(rounds([10, 5], [30, 10]), PEER)).toEqual([5, 10]);
  });
});
