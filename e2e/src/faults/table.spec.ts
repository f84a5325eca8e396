import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ScenarioResult } from './run-scenario.js';
import { writeInto } from './table.js';

const scenarios = ['P1', 'P2', 'P3'].map((id) => ({ id, title: `title of ${id}`, promise: 'it holds' }));

function result(id: string, changes: Partial<ScenarioResult>): ScenarioResult {
  return { id, title: '', promise: '', outcome: 'passed', text: '', seconds: 1, errorLines: 0, ...changes };
}

describe('the table of the document', () => {
  it('gets the rows of this run, keeps those of earlier ones, and says what never ran', () => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-table-'));
    const file = join(folder, 'faults.md');
    writeFileSync(file, 'above\n<!-- faults:begin -->\nNot written yet.\n<!-- faults:end -->\nbelow\n');

    writeInto(file, [result('P2', { text: 'a | b\nc' })], { seed: 1, scenarios });
    writeInto(file, [result('P1', { text: 'new' }), result('P2', { outcome: 'not run' })], { seed: 2, scenarios });

    const text = readFileSync(file, 'utf8');
    rmSync(folder, { recursive: true });
    expect(text).toMatch(/^above\n<!-- faults:begin -->\n\n\| id [^]*\n\n<!-- faults:end -->\nbelow\n$/);
    expect(text.split('\n').filter((line) => line.startsWith('| P'))).toEqual([
      '| P1 |  |  | new | passed, 1 s, seed 2 |',
      '| P2 |  |  | a \\| b · c | passed, 1 s, seed 1 |',
      '| P3 | title of P3 | it holds | not run so far | never |',
    ]);
  });
});
