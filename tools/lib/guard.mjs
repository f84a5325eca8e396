import { spawn } from 'node:child_process';
import path from 'node:path';

import { root } from './root.mjs';

/** Ends what this tool started when the tool itself is killed: see guard.sh. One for each tool, started when needed. */
class Guard {
  #child;

  /** @param {'first' | 'last'} order `last`: ended after all that is `first`; for what the others need, as Redis. */
  watch(pid, order) {
    this.#tell(`${order} ${pid}`);
  }

  forget(pid) {
    this.#tell(`forget ${pid}`);
  }

  get pid() {
    return this.#started().pid;
  }

  #tell(line) {
    this.#started().stdin.write(`${line}\n`);
  }

  #started() {
    if (this.#child === undefined) {
      this.#child = spawn('/bin/sh', [path.join(root, 'tools', 'lib', 'guard.sh')], {
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      this.#child.stdin.on('error', () => undefined);
      this.#child.unref();
      this.#child.stdin.unref();
    }
    return this.#child;
  }
}

export const guard = new Guard();
