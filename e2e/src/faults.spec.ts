import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { testSeeds } from '@orchestrator/testing';

import { missing } from './faults/needs.js';
import { runScenario } from './faults/run-scenario.js';
import { scenarios } from './faults/scenarios/index.js';

const [seed = 0] = testSeeds(1);
const folder = mkdtempSync(join(tmpdir(), 'orchestrator-faults-'));

/** The short scenarios of `npm run faults`; logs and history of what fails stay in the folder that is named. */
describe(`the fault suite, seed ${seed}`, () => {
  for (const scenario of scenarios.filter(({ quick }) => quick)) {
    const lacking = missing(scenario.needs ?? []);
    const test = lacking.length === 0 ? it : it.skip;
    const why = lacking.length === 0 ? '' : ` (not run here: needs ${lacking.join(', ')})`;
    test(`${scenario.id}: ${scenario.title}: ${scenario.promise}${why}`, async () => {
      const result = await runScenario(scenario, { seed, folder, soakMs: 0 });
      if (result.outcome === 'failed') {
        throw new Error(`${result.text}\nseed ${seed}; see ${join(folder, scenario.id)}`);
      }
    });
  }
});
