// Compiles the helper (command-helper.c) into dist/native/, for this platform, when it is older than its source. Where
// there is no C compiler nothing is done: the executor goes by without (src/process/helper-programs.ts).
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(here, 'command-helper.c');
const target = path.join(here, '..', 'dist', 'native', `${process.platform}-${process.arch}`, 'command-helper');
/** Static first: so it runs with any C library of its platform. */
const LINKED = [['-static'], []];
const COMPILER_LIMIT_MS = 60_000;

/** Answers whether the helper is there. */
export function buildHelper() {
  if (process.platform !== 'linux') {
    return false;
  }
  const isNew = fs.existsSync(target) && fs.statSync(target).mtimeMs >= fs.statSync(source).mtimeMs;
  return isNew || LINKED.some(compile);
}

function compile(linked) {
  fs.mkdirSync(path.dirname(target), { recursive: true });
  // Under another name first: builds side by side, and one that runs meanwhile, see a whole file or none.
  const made = `${target}.${process.pid}`;
  try {
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-s', ...linked, '-o', made, source], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: COMPILER_LIMIT_MS,
    });
    fs.renameSync(made, target);
    return true;
  } catch {
    fs.rmSync(made, { force: true });
    return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(buildHelper() ? 'the helper is built' : 'no C compiler: commands are started by Perl');
}
