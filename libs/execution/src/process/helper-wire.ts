import type { Cgroup } from '../cgroup.js';
import type { AttemptToRun } from '../executor.js';
import { MARK_VARIABLE } from '../mark.js';
import { toProgram } from './program.js';

/*
 * What a helper reads and writes, whatever it is made of (`helper-programs.ts`). A helper is a small process that starts
 * one command at a time for the executor and waits for it.
 *
 * It reads records from its stdin, each a length (32 bits, big-endian) and fields with a NUL after each but the last:
 *
 * - first the commands' `oom_score_adj` and the base environment, answered by R;
 * - then for each command: `cgroup.procs` of its cgroup (or nothing), directory, file for its stdin, number of arguments,
 *   arguments, variables. An empty record closes what is left of the one before.
 *
 * It writes records to its stdout, each a letter, a length and
 *
 * - F errno: it could not be started, nothing of it has run;
 * - S pid, descriptors: it has been started (its exec has succeeded); the reading ends of its pipes are these of the helper;
 * - T: SIGUSR1 has asked for these ends, and the helper will not read them; the executor opens them through `/proc`. A
 *   signal that comes after the end is ignored;
 * - X status, flags, length, stdout, stderr: it has ended and was reaped. Flags: 1 its group lives on, 2 and 4 its stdout
 *   and stderr are open elsewhere, or hold more.
 *
 * Nothing of a command that was not asked for is read before its end: who waits reads nothing. Of a command that ends at
 * once S and X may come together.
 */

const SEPARATOR = '\0';
const HEADER_BYTES = 4;
const REPLY_HEADER_BYTES = 5;
/** What is larger is started by the executor itself: a helper's memory stays small. */
const MAX_REQUEST_CHARS = 32 * 1024;

export interface HelperSetup {
  /** Of the commands; empty where it cannot be set. */
  oomScore: string;
  baseEnvironment: Readonly<Record<string, string>>;
}

export interface HelperRequest {
  attempt: AttemptToRun;
  mark: string;
  cwd: string;
  /** The file it is read from. */
  stdin: string;
  cgroup: Cgroup | undefined;
}

export type HelperReply =
  | { kind: 'ready' }
  | { kind: 'failed'; errno: number }
  | { kind: 'started'; pid: number; stdout: number; stderr: number }
  | { kind: 'handed' }
  | { kind: 'exited'; exit: HelperExit };

export interface HelperExit {
  code: number | null;
  signal: number | null;
  groupLives: boolean;
  stdout: HelperOutput;
  stderr: HelperOutput;
}

/** What the helper has read of a pipe, and whether that was not all. */
export interface HelperOutput {
  data: Buffer;
  open: boolean;
}

/** Closes what is left of the command before. */
export const CLOSE_REQUEST = Buffer.alloc(HEADER_BYTES);

export function encodeSetup({ baseEnvironment, oomScore }: HelperSetup): Buffer {
  return encode([oomScore, ...toVariables(baseEnvironment)]);
}

export function encodeRequest({ attempt, cgroup, cwd, mark, stdin }: HelperRequest): Buffer {
  const [file, args] = toProgram(attempt);
  const variables = toVariables({ ...attempt.env, [MARK_VARIABLE]: mark });
  return encode([cgroup?.processesFile ?? '', cwd, stdin, String(args.length + 1), file, ...args, ...variables]);
}

/** Names that every setenv(3) takes. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What means the same through a helper; the rest is Node's to start, or to refuse. */
export function suitsHelpers(attempt: AttemptToRun, cwd: string): boolean {
  const [file, args] = toProgram(attempt);
  const texts = [file, cwd, ...args, ...Object.values(attempt.env)];
  const chars = texts.reduce((sum, text) => sum + text.length, 0);
  return (
    file !== '' &&
    chars <= MAX_REQUEST_CHARS &&
    texts.every((text) => !text.includes(SEPARATOR)) &&
    areVariablesPlain(attempt.env)
  );
}

export function areVariablesPlain(variables: Readonly<Record<string, string>>): boolean {
  return Object.keys(variables).every((name) => NAME.test(name));
}

/** The replies in what has been received, and what is left of it: the beginning of the next one. */
export function decodeReplies(received: Buffer): { replies: HelperReply[]; rest: Buffer } {
  const replies: HelperReply[] = [];
  let rest = received;
  while (rest.length >= REPLY_HEADER_BYTES) {
    const end = REPLY_HEADER_BYTES + rest.readUInt32BE(1);
    if (rest.length < end) {
      break;
    }
    replies.push(decode(rest[0] ?? 0, rest.subarray(REPLY_HEADER_BYTES, end)));
    rest = rest.subarray(end);
  }
  return { replies, rest };
}

function decode(letter: number, body: Buffer): HelperReply {
  switch (String.fromCharCode(letter)) {
    case 'R':
      return { kind: 'ready' };
    case 'F':
      return { kind: 'failed', errno: body.readUInt32BE(0) };
    case 'S':
      return { kind: 'started', pid: body.readUInt32BE(0), stdout: body.readUInt32BE(4), stderr: body.readUInt32BE(8) };
    case 'T':
      return { kind: 'handed' };
    case 'X':
      return { kind: 'exited', exit: decodeExit(body) };
    default:
      throw new RangeError(`a helper sent a record of the unknown kind ${letter}`);
  }
}

const SIGNAL_BITS = 0x7f;
const GROUP_LIVES = 1;
const STDOUT_OPEN = 2;
const STDERR_OPEN = 4;
const EXIT_HEADER_BYTES = 7;

function decodeExit(body: Buffer): HelperExit {
  const status = body.readUInt16BE(0);
  const flags = body[2] ?? 0;
  const stderrAt = EXIT_HEADER_BYTES + body.readUInt32BE(3);
  const signal = status & SIGNAL_BITS;
  return {
    code: signal === 0 ? status >> 8 : null,
    signal: signal === 0 ? null : signal,
    groupLives: (flags & GROUP_LIVES) !== 0,
    stdout: { data: body.subarray(EXIT_HEADER_BYTES, stderrAt), open: (flags & STDOUT_OPEN) !== 0 },
    stderr: { data: body.subarray(stderrAt), open: (flags & STDERR_OPEN) !== 0 },
  };
}

function toVariables(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}

function encode(fields: readonly string[]): Buffer {
  const text = fields.join(SEPARATOR);
  const length = Buffer.byteLength(text);
  const record = Buffer.allocUnsafe(HEADER_BYTES + length);
  record.writeUInt32BE(length);
  record.write(text, HEADER_BYTES);
  return record;
}
