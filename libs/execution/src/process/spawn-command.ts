import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { closeSync } from 'node:fs';
import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net';
import type { Readable, Writable } from 'node:stream';

import type { AttemptToRun, OutputStreamName } from '../executor.js';
import { MARK_VARIABLE } from '../mark.js';
import { HIGHEST_PIPE } from './file-limit.js';
import { openInputFile } from './input-file.js';
import type { PipeEnds, PipePool } from './pipe-pool.js';

export const SHELL = '/bin/sh';

export interface SpawnContext {
  baseEnvironment: Readonly<Record<string, string>>;
  mark: string;
  cwd: string;
  pipes: PipePool;
  /** Calls it with this process as its child is to begin. */
  launch: <T>(spawn: () => T) => T;
  /** The chunk is valid only during the call. */
  onData: (stream: OutputStreamName, chunk: Buffer) => void;
}

export interface SpawnedCommand {
  child: ChildProcess;
  outputs: Readable[];
  input: Writable | undefined;
}

/** All reads go through one buffer: what is to be kept is copied at once. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** Starts it as a session of its own. @throws what Node throws at once: NUL bytes, too large an environment, no file handle left. */
export function spawnCommand(attempt: AttemptToRun, context: SpawnContext): SpawnedCommand {
  const { baseEnvironment, cwd, launch, mark, onData, pipes } = context;
  const [file, args] = toProgram(attempt);
  const env = { ...baseEnvironment, ...attempt.env, [MARK_VARIABLE]: mark };
  const stdin = attempt.stdin === undefined ? undefined : openInputFile(pipes.directory, attempt.stdin);
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
  const input = child.stdin ?? undefined;
  // It need not read what it is given, and may close what it writes to.
  [...outputs, input].forEach((stream) => stream?.on('error', () => undefined));
  return { child, outputs, input };
}

function readFrom(
  ends: PipeEnds | undefined,
  fallback: Readable | null,
  onData: (chunk: Buffer) => void,
): Readable | undefined {
  if (ends === undefined) {
    return fallback?.on('data', onData);
  }
  const options: SocketConstructorOpts & Pick<ConnectOpts, 'onread'> = {
    fd: ends.own,
    readable: true,
    writable: false,
    onread: {
      buffer: READ_BUFFER,
      callback: (length) => {
        onData(READ_BUFFER.subarray(0, length));
        return true;
      },
    },
  };
  return new Socket(options).resume();
}

function toProgram(attempt: AttemptToRun): [string, string[]] {
  if (attempt.command !== undefined) {
    return [SHELL, ['-c', attempt.command]];
  }
  const [file = '', ...args] = attempt.argv ?? [];
  return [file, args];
}
