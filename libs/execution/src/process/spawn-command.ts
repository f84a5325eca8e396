import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

import type { AttemptToRun } from '../executor.js';
import { MARK_VARIABLE } from '../mark.js';
import { sendSignal } from '../proc.js';
import { HIGHEST_PIPE } from './file-limit.js';
import type { PipeEnds, PipePool } from './pipe-pool.js';
import { readPipe } from './pipe-reader.js';
import { toProgram } from './program.js';
import type { CommandEvents, RunningCommand } from './running-command.js';

export interface SpawnContext extends CommandEvents {
  baseEnvironment: Readonly<Record<string, string>>;
  mark: string;
  cwd: string;
  pipes: PipePool;
  /** A file to read from; closed here. Without it what there is to read goes through a pipe. */
  stdin: number | undefined;
  /** Calls it with this process as its child is to begin. */
  launch: <T>(spawn: () => T) => T;
}

/** Starts it as a session of its own. @throws what Node throws at once: NUL bytes, too large an environment, no file handle left. */
export function spawnCommand(attempt: AttemptToRun, context: SpawnContext): RunningCommand {
  const { baseEnvironment, cwd, launch, mark, onData, onExit, onFailed, onStarted, pipes, stdin } = context;
  const [file, args] = toProgram(attempt);
  const env = { ...baseEnvironment, ...attempt.env, [MARK_VARIABLE]: mark };
  const stdout = pipes.openOutput();
  const stderr = pipes.openOutput();
  const ends = [stdout, stderr].filter((pair) => pair !== undefined);
  const tooMany = ends.some(({ own, theirs }) => Math.max(own, theirs) > HIGHEST_PIPE);
  let child: ChildProcess;
  try {
    if (tooMany) {
      throw Object.assign(new Error('too many pipes are open'), { code: 'EMFILE' });
    }
    const first = attempt.stdin === undefined ? 'ignore' : (stdin ?? 'pipe');
    const stdio: StdioOptions = [first, stdout?.theirs ?? 'pipe', stderr?.theirs ?? 'pipe'];
    child = launch(() => spawn(file, args, { cwd, detached: true, env, stdio }));
  } catch (error) {
    ends.forEach(({ own }) => closeSync(own));
    throw error;
  } finally {
    [...ends.map(({ theirs }) => theirs), ...(stdin === undefined ? [] : [stdin])].forEach((end) => closeSync(end));
  }
  const outputs = [
    readFrom(stdout, child.stdout, (chunk) => onData('stdout', chunk)),
    readFrom(stderr, child.stderr, (chunk) => onData('stderr', chunk)),
  ].filter((stream) => stream !== undefined);
  const input: Writable | undefined = child.stdin ?? undefined;
  // It need not read what it is given.
  input?.on('error', () => undefined);
  child.once('error', onFailed);
  const pid = child.pid ?? 0;
  if (pid > 1) {
    onStarted(pid, process.pid);
    child.once('exit', (code, signal) => onExit({ code, signal }, sendSignal(-pid, 0)));
    input?.end(attempt.stdin);
  }
  return {
    outputs,
    destroy: () => [...outputs, input].forEach((stream) => stream?.destroy()),
  };
}

function readFrom(
  ends: PipeEnds | undefined,
  fallback: Readable | null,
  onData: (chunk: Buffer) => void,
): Readable | undefined {
  return ends === undefined ? fallback?.on('data', onData).on('error', () => undefined) : readPipe(ends.own, onData);
}
