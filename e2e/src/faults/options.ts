import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

export interface Options {
  only: readonly string[];
  quick: boolean;
  list: boolean;
  keep: boolean;
  write: boolean;
  seed: number;
  soakMs: number;
}

const LARGEST_SEED = 1_000_000_000;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

export const USAGE = `npm run faults -- [flags]
  --only P1,R4     these scenarios only
  --quick          the short ones only, as in npm test
  --seed N         the random moments of an earlier run
  --soak 10m       how long the soak goes on (30s, 10m, 2h)
  --keep           keep logs and history also of what passed
  --write          put the table into docs/faults.md
  --list           say which scenarios there are, and run nothing`;

/** @throws {Error} that says what is wrong with them. */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    strict: true,
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      seed: { type: 'string' },
      soak: { type: 'string', default: '10m' },
    },
  });
  const [, amount, unit = ''] = /^(\d{1,4})([smh])$/.exec(values.soak) ?? [];
  if (amount === undefined) {
    throw new Error(`--soak is "${values.soak}": expected a number with its unit, as 30s or 10m`);
  }
  if (values.seed !== undefined && !/^\d{1,9}$/.test(values.seed)) {
    throw new Error(`--seed is "${values.seed}": expected a whole number`);
  }
  return {
    only: values.only === undefined ? [] : values.only.split(','),
    quick: values.quick,
    list: values.list,
    keep: values.keep,
    write: values.write,
    seed: values.seed === undefined ? randomInt(1, LARGEST_SEED) : Number(values.seed),
    soakMs: Number(amount) * (UNITS[unit] ?? 0),
  };
}
