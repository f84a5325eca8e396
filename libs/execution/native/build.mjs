// Compiles the helper (command-helper.c) into dist/native/, for this platform, unless it was made of the same source. Where
// there is no C compiler nothing is done: the executor goes by without (src/process/helper-programs.ts).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(here, 'command-helper.c');
const target = path.join(here, '..', 'dist', 'native', `${process.platform}-${process.arch}`, 'command-helper');
/** Of which source it is. Not the times of the files: Nx may bring back an old helper that looks new. */
const stamp = `${target}.sha256`;
/** Static first: so it runs with any C library of its platform. */
const LINKED = [['-static'], []];
const COMPILER_LIMIT_MS = 60_000;

/** Answers whether the helper is there. Where it should be and is not, says why. */
export function buildHelper() {
  if (process.platform !== 'linux') {
    return false;
  }
  const digest = createHash('sha256').update(fs.readFileSync(source)).digest('hex');
  if (fs.existsSync(target) && fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === digest) {
    return true;
  }
  let problem;
  const isMade = LINKED.some((linked) => (problem = compile(linked)) === undefined);
  if (isMade) {
    fs.writeFileSync(stamp, digest);
  } else {
    // Rather none than one that may speak otherwise.
    fs.rmSync(target, { force: true });
    if (problem.code !== 'ENOENT') {
      console.error(
        `cc could not compile ${source}; commands are started by Perl: ${problem.stderr || problem.message}`,
      );
    }
  }
  return isMade;
}

/** Answers what went wrong, if something did. */
function compile(linked) {
  fs.mkdirSync(path.dirname(target), { recursive: true });
  // Under another name first: builds side by side, and one that runs meanwhile, see a whole file or none.
  const made = `${target}.${process.pid}`;
  try {
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-s', ...linked, '-o', made, source], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
      timeout: COMPILER_LIMIT_MS,
    });
    fs.renameSync(made, target);
    return undefined;
  } catch (error) {
    fs.rmSync(made, { force: true });
    return error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(buildHelper() ? 'the helper is built' : 'the helper is not built: commands are started by Perl');
}
