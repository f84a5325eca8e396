import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** The smallest command there is: what is measured is all that is around it. */
export const TRUE: readonly string[] = ['/bin/true'];

/** Nearly as small, with the path of a mark behind it: exit code 1 where that mark is there already. */
export const MARK: readonly string[] = ['/bin/ln', '-s', '-'];

/** As many at a time as a worker has slots by default. */
export const SIDE_BY_SIDE = availableParallelism();

/** The first line of what a program says of its version; undefined: it is not on the PATH. */
export function versionOf(program: string): string | undefined {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n', 1)[0]
      ?.trim();
  } catch {
    return undefined;
  }
}
