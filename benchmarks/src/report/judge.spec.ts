import type { WorkloadResult } from '../run-workload.js';
import type { Comparison } from '../workload.js';
import { judge } from './judge.js';

const OURS = { participant: 'ours', figure: 'rate' };
const more: Comparison = {
  goal: 'G',
  title: 'faster',
  of: OURS,
  to: { participant: 'peer', figure: 'rate' },
  better: 'more',
  must: 2,
  star: 6,
};
const less: Comparison = { goal: 'G', title: 'cheaper', of: OURS, better: 'less', must: 20, star: 5 };

function result(comparison: Comparison, ours: readonly number[], peer: readonly number[] = []): WorkloadResult {
  const roundsOf = (participant: string, values: readonly number[]): WorkloadResult['rounds'] =>
    values.map((rate, index) => ({ round: index + 1, participant, figures: { rate } }));
  return {
    workload: { id: 'w', title: 'w', quick: true, participants: [], comparisons: [comparison] },
    rounds: [...roundsOf('ours', ours), ...roundsOf('peer', peer)],
    missing: {},
    notes: [],
  };
}

describe('judge', () => {
  it.each([
    [1.9, 'missed'],
    [2, 'holds'],
    [5.9, 'holds'],
    [6, 'star'],
  ])('says of a ratio of %p, where more is better: %s', (ratio, verdict) => {
    expect(judge(result(more, [ratio * 10], [10]))).toMatchObject([{ verdict, found: { median: ratio } }]);
  });

  it.each([
    [21, 'missed'],
    [20, 'holds'],
    [5, 'star'],
  ])('says of a cost of %p, where less is better: %s', (cost, verdict) => {
    expect(judge(result(less, [cost]))).toMatchObject([{ verdict, found: { median: cost } }]);
  });

  it('goes by the median of the rounds', () => {
    expect(judge(result(more, [100, 10, 30], [10, 10, 10]))).toMatchObject([
      { verdict: 'holds', found: { median: 3, least: 1, most: 10 } },
    ]);
  });

  it('has nothing to say where a peer is not installed', () => {
    expect(judge(result(more, [10]))).toMatchObject([{ verdict: 'not measured', found: undefined }]);
  });

  it('has nothing to say of a workload that lost a job', () => {
    expect(judge({ ...result(more, [100], [10]), failed: 'job 7 twice' })).toMatchObject([{ verdict: 'not measured' }]);
  });

  it('compares without a goal where there is none', () => {
    const { must: _must, star: _star, ...plain } = more;

    expect(judge(result(plain, [100], [10]))).toMatchObject([{ verdict: 'no goal' }]);
  });
});
