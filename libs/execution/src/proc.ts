import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

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

export function readStat(pid: number | 'self'): ProcessStat | undefined {
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

/** A zombie does nothing any more, so it is not alive. Without `/proc` only the pid can be asked for. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (!hasProc) {
    return sendSignal(identity.pid, 0);
  }
  const stat = readStat(identity.pid);
  return stat !== undefined && stat.startTime === identity.startTime && stat.state !== 'Z' && stat.state !== 'X';
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

/** The mark of every process that has one and that we may look at. Zombies have none. */
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
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 1 && pid !== process.pid);
}

function readProc(pid: number | 'self', file: string): Buffer | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`);
  } catch {
    // It ended, it belongs to somebody else, or there is no /proc.
    return undefined;
  }
}
