import { spawn } from 'node:child_process';
import readline from 'node:readline';

import { guard } from './guard.mjs';
import { root } from './root.mjs';

/**
 * A program in a process group of its own: a terminal's Ctrl-C reaches only the tool, which passes it on once. It ends
 * with the tool, however that ends. Its lines are shown behind its name, unless `show` takes them.
 */
export function startChild(name, program, args, { env = {}, show = (line) => console.log(`[${name}] ${line}`) } = {}) {
  const child = spawn(program, args, {
    cwd: root,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    readline.createInterface({ input: stream }).on('line', show);
  }
  const state = { name, pid: child.pid, end: undefined, asked: false };
  if (child.pid !== undefined) {
    guard.watch(child.pid, 'first');
  }
  const ended = new Promise((resolve) => {
    const settle = (end) => {
      state.end ??= end;
      guard.forget(child.pid);
      resolve(state.end);
    };
    child.once('exit', (code, signal) => settle({ code, signal, text: signal ?? `exit code ${code}` }));
    child.once('error', (error) => settle({ code: null, signal: null, text: error.message }));
  });
  return Object.assign(state, {
    ended,
    /** Asks it to end; the caller waits for `ended`. */
    signal(which) {
      state.asked = true;
      if (state.end === undefined) {
        child.kill(which);
      }
    },
  });
}
