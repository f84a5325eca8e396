import { readFileSync, writeFileSync } from 'node:fs';

import type { ScenarioResult } from './run-scenario.js';

const BEGIN = '<!-- faults:begin -->';
const END = '<!-- faults:end -->';
const HEAD = ['| id | what is done | promise | measured | run |', '| --- | --- | --- | --- | --- |'];

/** As Markdown: for the terminal, and for the document. */
export function toTable(results: readonly ScenarioResult[], seed: number): string {
  return [...HEAD, ...results.map((result) => toRow(result, seed))].join('\n');
}

/**
 * Puts the rows between the two markers of a document, in the order of `ids`. Rows of scenarios that did not run this
 * time stay as they are: each row says the seed of its own run. A scenario that never ran is listed as such.
 */
export function writeInto(
  file: string,
  results: readonly ScenarioResult[],
  { seed, scenarios }: { seed: number; scenarios: readonly { id: string; title: string; promise: string }[] },
): void {
  const document = readFileSync(file, 'utf8');
  const [before, rest] = document.split(BEGIN);
  const [old, after] = rest?.split(END) ?? [];
  if (before === undefined || old === undefined || after === undefined) {
    throw new Error(`${file} has no place for the table: ${BEGIN} and ${END} were expected`);
  }
  const rows = scenarios.map(({ id, title, promise }) => {
    const result = results.find((each) => each.id === id && each.outcome !== 'not run');
    const known = old.split('\n').find((line) => line.startsWith(`| ${id} |`));
    return result === undefined
      ? (known ?? join([id, title, promise, 'not run so far', 'never']))
      : toRow(result, seed);
  });
  writeFileSync(file, `${before}${BEGIN}\n\n${[...HEAD, ...rows].join('\n')}\n\n${END}${after}`);
}

function toRow({ id, title, promise, text, outcome, seconds }: ScenarioResult, seed: number): string {
  return join([
    id,
    title,
    promise,
    oneLine(text),
    outcome === 'not run' ? outcome : `${outcome}, ${seconds} s, seed ${seed}`,
  ]);
}

function join(cells: readonly string[]): string {
  return `| ${cells.map(escape).join(' | ')} |`;
}

function oneLine(text: string): string {
  return text.split('\n').slice(0, 3).join(' · ').slice(0, 400);
}

function escape(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll(/[<>]/g, (sign) => (sign === '<' ? '&lt;' : '&gt;'));
}
