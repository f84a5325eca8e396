import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  canTransition,
  createUlids,
  parseDurationMs,
  parseJobId,
  systemClock,
  systemRandom,
  toJobId,
} from './index.js';

describe("README's example", () => {
  it('is what is run here', () => {
    const readme = readFileSync(join(__dirname, '../README.md'), 'utf8');
    const example = /```ts\n([^]*?)```/.exec(readme)?.[1]?.trim() ?? 'no example';
    const source = readFileSync(__filename, 'utf8').replace(/^ {4}/gm, '');

    expect(source).toContain(example);
  });

  it('names a job, reads a duration, and knows what may follow', () => {
    // The id of a job names its pool, which it never leaves.
    const newUlid = createUlids({ clock: systemClock, random: systemRandom });
    const id = toJobId('default', newUlid());
    const address = parseJobId(id);

    // Durations as users write them: seconds, or a number with its unit.
    const timeoutMs = parseDurationMs('1.5m');

    // Every transition between states that there is.
    const maySucceed = canTransition('running', 'succeeded');
    const mayStartAgain = canTransition('succeeded', 'running');

    expect(address).toEqual({ pool: 'default', ulid: id.slice('default:'.length) });
    expect(timeoutMs).toBe(90_000);
    expect([maySucceed, mayStartAgain]).toEqual([true, false]);
  });
});
