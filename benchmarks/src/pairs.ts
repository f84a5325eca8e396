import type { Figures, RoundResult } from './workload.js';

export interface FigureOf {
  participant: string;
  figure: string;
}

/**
 * One ratio a round: what two participants did within the same round, so minutes apart at most. A machine's speed drifts,
 * and a ratio of medians over the whole run would drift with it. Rounds in which one of them did not run give none.
 */
export function pairedRatios(rounds: readonly RoundResult[], of: FigureOf, to: FigureOf): number[] {
  return byRound(rounds, (figures) => {
    const [above, below] = [figures(of), figures(to)];
    return above === undefined || below === undefined ? undefined : above / below;
  });
}

export function valuesOf(rounds: readonly RoundResult[], of: FigureOf): number[] {
  return byRound(rounds, (figures) => figures(of));
}

function byRound(
  rounds: readonly RoundResult[],
  pick: (figures: (of: FigureOf) => number | undefined) => number | undefined,
): number[] {
  const numbers = [...new Set(rounds.map(({ round }) => round))].sort((a, b) => a - b);
  return numbers.flatMap((round) => {
    const found = (of: FigureOf): Figures =>
      rounds.find((each) => each.round === round && each.participant === of.participant)?.figures ?? {};
    const value = pick((of) => found(of)[of.figure]);
    return value === undefined ? [] : [value];
  });
}
