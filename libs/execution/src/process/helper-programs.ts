import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

import { HELPER_SCRIPT } from './helper-script.js';

/** What a helper can be: a program and its arguments. All do the same (`helper-wire.ts`). */
export type HelperProgram = readonly [file: string, ...args: string[]];

/** Has what a shell has not: setsid(2), errno, the true wait status. On nearly every Linux. */
export const PERL_HELPER: HelperProgram = ['perl', '-e', HELPER_SCRIPT];

/** The ones to be tried, best first. Compiled (`native/`) it takes half of the CPU; it is there if a compiler was. */
export function helperPrograms(): HelperProgram[] {
  const compiled = join(__dirname, '..', 'native', `${process.platform}-${process.arch}`, 'command-helper');
  try {
    accessSync(compiled, constants.X_OK);
    return [[compiled], PERL_HELPER];
  } catch {
    return [PERL_HELPER];
  }
}
