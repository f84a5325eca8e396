import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

import { type Clock, sleep } from '@orchestrator/core';

import { GUARD_ROLE, MARK_VARIABLE, toMark, toMarkPrefix } from '../mark.js';
import type { ExecutorSetup } from '../wire.js';
import { SHELL } from './program.js';

/**
 * Sleeps in `read` until the pipe from the executor, its only writer, is closed: then the executor is dead. Kills all
 * that carry a mark of the session (its first argument), until two looks in a row find nothing; then removes the
 * session's cgroup (the second) and the executor's directory (the third).
 *
 * grep finds them in a few milliseconds. One that stops at the NUL bytes between the variables does not find the guard's
 * own second variable: then the shell's `read`, which skips NUL bytes, does it, a byte at a time.
 */
const SCRIPT = `
mark="${MARK_VARIABLE}=$1"
found() {
  if grep -qF "$mark" /proc/$$/environ 2>/dev/null; then
    grep -lF "$mark" /proc/[0-9]*/environ 2>/dev/null
  else
    for file in /proc/[0-9]*/environ; do
      while IFS= read -r text || [ -n "$text" ]; do
        case $text in *"$mark"*) echo "$file" ;; esac
        text=
      done 2>/dev/null <"$file"
    done 2>/dev/null
  fi
}
while read -r _; do :; done
[ -z "$2" ] || echo 1 >"$2/cgroup.kill"
clean=0
while [ $clean -lt 2 ]; do
  clean=$((clean + 1))
  for file in $(found); do
    pid=\${file#/proc/}
    pid=\${pid%/environ}
    if [ "$pid" != $$ ] && kill -9 "$pid" 2>/dev/null; then clean=0; fi
  done
done
[ -z "$2" ] || rmdir "$2"/*/ "$2"
[ -z "$3" ] || rm -rf "$3"
`;

export interface GuardParams {
  setup: ExecutorSetup;
  /** Of the executor, removed when it is dead. */
  directory: string | undefined;
  /** Of the session's commands, killed and removed. */
  cgroup: string | undefined;
  clock: Clock;
}

/** Keeps one guard alive as long as this process lives. */
export class Guard {
  private child: ChildProcess | undefined;

  constructor(private readonly params: GuardParams) {}

  start(): void {
    const { cgroup = '', directory = '', setup } = this.params;
    const { baseEnvironment, owner } = setup;
    const child = spawn(SHELL, ['-c', SCRIPT, 'orchestrator-guard', toMarkPrefix(owner), cgroup, directory], {
      cwd: '/',
      detached: true,
      env: { ...baseEnvironment, [MARK_VARIABLE]: toMark(owner, GUARD_ROLE) },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.on('error', () => undefined);
    // Without a file handle left there is no pipe either: it failed, and is tried again.
    (child.stdin as Writable | undefined)?.on('error', () => undefined);
    child.once('close', () => void this.restart());
    this.child = child;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Somebody killed it. */
  private async restart(): Promise<void> {
    await sleep(this.params.clock, 100);
    this.start();
  }
}
