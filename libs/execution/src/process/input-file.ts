import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What a command is to read, as an open file without a name; undefined where nothing can be written, a pipe will do then.
 * A file needs nobody who writes while it is read, and can be opened by name (`cat /dev/stdin`): a named pipe whose
 * writer has closed already would block such an open for ever.
 */
export function openInputFile(directory: string | undefined, content: string): number | undefined {
  if (directory === undefined) {
    return undefined;
  }
  const name = join(directory, 'stdin');
  try {
    const writing = openSync(name, 'wx', 0o600);
    try {
      writeFileSync(writing, content);
    } finally {
      closeSync(writing);
    }
    return openSync(name, 'r');
  } catch {
    return undefined;
  } finally {
    tryUnlink(name);
  }
}

function tryUnlink(name: string): void {
  try {
    unlinkSync(name);
  } catch {
    // It could not be made in the first place.
  }
}
