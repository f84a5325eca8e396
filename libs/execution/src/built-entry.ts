import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The compiled file of an entry point. Beside this one when that is compiled, too; in `dist` when this one is run from
 * its source, as tests do (they build first).
 */
export function builtEntry(name: string): string {
  const beside = join(__dirname, `${name}.js`);
  return existsSync(beside) ? beside : join(__dirname, '..', 'dist', `${name}.js`);
}
