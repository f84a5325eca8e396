import { readFileSync, writeFileSync } from 'node:fs';

import type { ScenarioResult } from './run-scenario.js';

const BEGIN = '<!-- faults:begin -->';
const END = '<!-- faults:end -->';

/** As Markdown: for the terminal, and for the document. */
export function toTable(results: readonly ScenarioResult[]): string {
  const rows = results.map(({ id, title, promise, text, outcome, seconds }) =>
    [id, title, promise, oneLine(text), outcome === 'not run' ? outcome : `${outcome} (${seconds} s)`].map(escape),
  );
  return [['id', 'what is done', 'promise', 'measured', ''], ['---', '---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** Replaces what stands between the two markers. */
export function writeInto(file: string, text: string): void {
  const document = readFileSync(file, 'utf8');
  const [before, rest] = document.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`${file} has no place for the table: ${BEGIN} and ${END} were expected`);
  }
  writeFileSync(file, `${before}${BEGIN}\n\n${text}\n\n${END}${after}`);
}

function oneLine(text: string): string {
  return text.split('\n').slice(0, 3).join(' · ').slice(0, 400);
}

function escape(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll(/[<>]/g, (sign) => (sign === '<' ? '&lt;' : '&gt;'));
}
