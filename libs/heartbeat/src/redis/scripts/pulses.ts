import { defineScript } from '@orchestrator/redis';

import type { Pulse, RegistryPulses } from '../../registry.js';
import * as lua from '../lua.js';

/** How often all that live were renewed, with the server that says so. */
export const pulses = defineScript<{ base: string }, RegistryPulses>({
  name: 'pulses',
  lua: lua.pulses,
  keys: ({ base }) => [base],
  args: () => [],
  reply(raw) {
    const [runId, term, lines] = raw as [string, string, string];
    return { runId, term: Number(term), living: lines === '' ? [] : lines.split('\n').map(parseLine) };
  },
});

function parseLine(line: string): Pulse {
  const [session = '', renewals, leaseMs] = line.split(' ');
  return { session, renewals: Number(renewals), leaseMs: Number(leaseMs) };
}
