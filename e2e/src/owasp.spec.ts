import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT } from './harness/program.js';

const DOCUMENT = readFileSync(join(ROOT, 'docs', 'access.md'), 'utf8');
/** Where tests are, unless another place is said. */
const PLACES = ['', 'apps/scheduler/src'];

describe('the OWASP API Security Top 10 in docs/access.md', () => {
  const rows = [...DOCUMENT.matchAll(/^\| (API\d+) [^|]*\|([^|]*)\|([^|]*)\|$/gm)].map(
    ([, id, here, shownBy = '']) => ({
      id,
      here,
      tests: [...shownBy.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
      shownBy: shownBy.trim(),
    }),
  );

  it('has each risk once, with tests or with the reason why there is nothing to test', () => {
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, index) => `API${index + 1}`));
    expect(rows.filter(({ tests, shownBy }) => tests.length === 0 && !shownBy.startsWith('nothing to test'))).toEqual(
      [],
    );
  });

  it('names tests that there are', () => {
    const named = rows.flatMap(({ tests }) => tests);

    expect(named.filter((name) => !PLACES.some((place) => existsSync(join(ROOT, place, name))))).toEqual([]);
  });
});
