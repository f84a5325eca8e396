import { parseArgs } from 'node:util';

export interface Options {
  only: readonly string[];
  quick: boolean;
  list: boolean;
  rounds: number;
  /** Of the jobs of a full run. */
  scale: number;
  /** How long the workload `memory` makes its load. */
  minutes: number;
  /** Where the results go; undefined: where they are kept. */
  out: string | undefined;
}

const ROUNDS = 5;
const QUICK_ROUNDS = 3;
const QUICK_SCALE = 0.05;
const MAX_ROUNDS = 100;
const MINUTES = 10;
const MAX_MINUTES = 24 * 60;

export const USAGE = `npm run bench -- [flags]
  --only true,post   these workloads only
  --quick            the shorter ones, with a twentieth of the jobs and ${QUICK_ROUNDS} rounds: for a look, not for a number
  --rounds N         alternating rounds (${ROUNDS})
  --scale X          this share of the jobs (1)
  --minutes N        how long \`memory\` makes its load (${MINUTES})
  --out FOLDER       write the results there and not to benchmarks/results
  --list             say which workloads there are, and run nothing`;

/** @throws {Error} that says what is wrong with them. */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    strict: true,
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      scale: { type: 'string' },
      minutes: { type: 'string' },
      out: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? QUICK_ROUNDS : ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > MAX_ROUNDS) {
    throw new Error(`--rounds is "${values.rounds}": expected a whole number from 1 to ${MAX_ROUNDS}`);
  }
  const scale = Number(values.scale ?? (values.quick ? QUICK_SCALE : 1));
  if (!(scale > 0 && scale <= 1)) {
    throw new Error(`--scale is "${values.scale}": expected a number above 0, up to 1`);
  }
  const minutes = Number(values.minutes ?? MINUTES);
  if (!(minutes > 0 && minutes <= MAX_MINUTES)) {
    throw new Error(`--minutes is "${values.minutes}": expected a number above 0, up to ${MAX_MINUTES}`);
  }
  const { quick, list, out } = values;
  return { only: values.only?.split(',') ?? [], quick, list, rounds, scale, minutes, out };
}
