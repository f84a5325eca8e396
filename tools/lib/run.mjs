import { spawn } from 'node:child_process';

import { root } from './root.mjs';

/**
 * Runs a program and resolves with how it ended; never rejects because it failed. `capture` keeps its output for the
 * caller (`output`), else it goes where ours goes.
 */
export function run(program, args, { cwd = root, env = {}, capture = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: capture ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    });
    let output = '';
    child.stdout?.on('data', (chunk) => (output += chunk));
    child.stderr?.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ ok: code === 0, code: code ?? 1, signal, output }));
  });
}
