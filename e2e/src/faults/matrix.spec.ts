import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT } from '../harness/program.js';
import { scenarios } from './scenarios/index.js';

/** The kinds of faults, by how many rows each has. */
const ROWS = { P: 15, R: 15, N: 11, D: 18 };

const DOCUMENT = readFileSync(join(ROOT, 'docs', 'faults.md'), 'utf8');

interface Row {
  id: string;
  /** What stands in backticks in the cell that says where it is shown. */
  shownBy: string[];
  /** The cell after it. */
  text: string;
}

function section(title: string): string {
  const [, text = ''] = new RegExp(`\n## ${title}\n([^]*?)(?=\n## |$)`).exec(DOCUMENT) ?? [];
  return text;
}

function rowsOf(text: string): Row[] {
  return text
    .split('\n')
    .filter((line) => /^\| [A-Z]/.test(line))
    .map((line) => {
      const [id = '', , shown = '', text = ''] = line.split(/ *\| */).slice(1);
      return { id, shownBy: quoted(shown), text };
    });
}

const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
const ids = scenarios.map(({ id }) => id);

describe('the matrix of faults in docs/faults.md', () => {
  const rows = rowsOf(section('Row by row'));

  it('has each row once', () => {
    const expected = Object.entries(ROWS).flatMap(([kind, count]) =>
      Array.from({ length: count }, (_, index) => `${kind}${index + 1}`),
    );

    expect(rows.map(({ id }) => id)).toEqual(expected);
  });

  it('says of each row what shows it, or that it is not covered', () => {
    const silent = rows.filter(({ shownBy, text }) => shownBy.length === 0 && !text.includes('**not covered**'));

    expect(silent).toEqual([]);
  });

  it('names scenarios and tests that there are', () => {
    const named = rows.flatMap(({ shownBy }) => shownBy);

    expect(named.filter((name) => !ids.includes(name) && !existsSync(join(ROOT, name)))).toEqual([]);
  });

  it('names every scenario, each of which has been run', () => {
    const named = quoted(section('Row by row'));
    const results = new Map(
      [...section('Results').matchAll(/^\| (\S+) \|.*\| ([^|]*) \|$/gm)].map(([, id, run]) => [id, run]),
    );

    expect(ids.filter((id) => !named.includes(id))).toEqual([]);
    expect(ids.filter((id) => !/^passed, /.test(results.get(id) ?? ''))).toEqual([]);
  });
});
