import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT } from '../../harness/program.js';

const PRELOAD = join(ROOT, 'e2e', 'src', 'faults', 'cluster', 'shifted-clock.cjs');

/** With it a program's wall clock can be set while it runs; monotonic time goes on, as on a machine. */
export function clockEnvironment(folder: string, name: string): Record<string, string> {
  setClock(folder, name, 0);
  return { NODE_OPTIONS: `--require=${PRELOAD}`, FAULTS_CLOCK_FILE: clockFile(folder, name) };
}

/** Sets the wall clock of a program of the cluster so far off (or, with 0, right again). */
export function setClock(folder: string, name: string, offsetMs: number): void {
  writeFileSync(clockFile(folder, name), String(offsetMs));
}

function clockFile(folder: string, name: string): string {
  return join(folder, `clock.${name}`);
}
