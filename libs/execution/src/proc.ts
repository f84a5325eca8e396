import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { ProcUnreadableError } from './errors.js';
import { MARK_VARIABLE, type ProcessIdentity } from './mark.js';

/** A line of `/proc/<pid>/stat`, as far as it is of use here. */
export interface ProcessStat extends ProcessIdentity {
  state: string;
  parent: number;
  processGroup: number;
  session: number;
}

/** False on macOS: groups are still killed there, but what leaves its group is not found. */
export const hasProc: boolean = existsSync('/proc/self/stat');

/** Undefined when there is no such process, and when that cannot be told. */
export function readStat(pid: number | 'self'): ProcessStat | undefined {
  return unlessUnreadable(() => lookAt(pid));
}

/** @throws {ProcUnreadableError} when it cannot be told whether there is such a process. */
export function lookAt(pid: number | 'self'): ProcessStat | undefined {
  const text = readProc(pid, 'stat')?.toString('latin1');
  if (text === undefined) {
    return undefined;
  }
  // The second field is the program's name in parentheses, and a name may contain parentheses and spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = ''] = fields;
  const [parent = 0, processGroup = 0, session = 0] = fields.slice(1, 4).map(Number);
  return { pid: Number.parseInt(text, 10), state, parent, processGroup, session, startTime: fields[19] ?? '0' };
}

/** This process, as its descendants name it in their marks. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTime: readStat('self')?.startTime ?? '0' };
}

/** A zombie does nothing any more, so it is not alive. Where `/proc` cannot be read only the pid can be asked for. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (!hasProc) {
    return sendSignal(identity.pid, 0);
  }
  let stat: ProcessStat | undefined;
  try {
    stat = lookAt(identity.pid);
  } catch {
    return sendSignal(identity.pid, 0);
  }
  return stat !== undefined && stat.startTime === identity.startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** It is a child of that process and has not ended. A child that was reaped is not; whoever has its number then is another one's. */
export function isRunning(pid: number, parent: number): boolean {
  const stat = readStat(pid);
  return stat?.parent === parent && stat.state !== 'Z' && stat.state !== 'X';
}

/** Signals a process or, with a negative number, a group. False when there is none. Refuses 0, 1 and -1: those are everybody. */
export function sendSignal(target: number, signal: NodeJS.Signals | 0): boolean {
  if (!Number.isInteger(target) || Math.abs(target) <= 1) {
    return false;
  }
  try {
    process.kill(target, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * The mark of every process that has one and that we may look at. Zombies have none.
 * @throws {ProcUnreadableError} when it cannot be told: who looks for what is left must not take that for nothing.
 */
export function readMarks(): { pid: number; mark: string }[] {
  return listPids().flatMap((pid) => {
    const mark = readMark(pid);
    return mark === undefined ? [] : [{ pid, mark }];
  });
}

/** Processes of a container have pids of their own: what their marks say of pids is not ours to judge. */
export function sharesPidNamespace(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync('/proc/self/ns/pid');
  } catch {
    return false;
  }
}

const MARK_PREFIX = Buffer.from(`${MARK_VARIABLE}=`);

export function readMark(pid: number): string | undefined {
  const environment = readProc(pid, 'environ');
  let at = environment?.indexOf(MARK_PREFIX) ?? -1;
  while (environment !== undefined && at > 0 && environment[at - 1] !== 0) {
    at = environment.indexOf(MARK_PREFIX, at + 1);
  }
  if (environment === undefined || at < 0) {
    return undefined;
  }
  const end = environment.indexOf(0, at);
  return environment.toString('utf8', at + MARK_PREFIX.length, end < 0 ? environment.length : end);
}

export function listPids(): number[] {
  if (!hasProc) {
    return [];
  }
  return listProc()
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 1 && pid !== process.pid);
}

function listProc(): string[] {
  try {
    return readdirSync('/proc');
  } catch (error) {
    throw new ProcUnreadableError(error);
  }
}

/** Undefined when `/proc` could not be read. */
export function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProcUnreadableError) {
      return undefined;
    }
    throw error;
  }
}

/** These say nothing of the process that was asked for: its reader has no file handle or no memory left. */
const READERS_TROUBLE = ['EMFILE', 'ENFILE', 'ENOMEM'];

function readProc(pid: number | 'self', file: string): Buffer | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`);
  } catch (error) {
    if (error instanceof Error && 'code' in error && READERS_TROUBLE.includes(String(error.code))) {
      throw new ProcUnreadableError(error);
    }
    // It ended, it belongs to somebody else, or there is no /proc.
    return undefined;
  }
}
