import { listPids, lookAt, type ProcessStat, readMark, readStat, sendSignal, unlessUnreadable } from './proc.js';

/** A process as one look at the machine found it. */
export interface SeenProcess extends ProcessStat {
  mark: string | undefined;
}

/**
 * One look at all processes but this one. A pid that changes hands meanwhile is no longer what its start time says.
 * Undefined when not all could be looked at: that says of none that it is gone.
 */
export function readProcesses(): SeenProcess[] | undefined {
  return unlessUnreadable(() =>
    listPids().flatMap((pid) => {
      const stat = lookAt(pid);
      return stat === undefined ? [] : [{ ...stat, mark: readMark(pid) }];
    }),
  );
}

export interface AttemptTree {
  mark: string;
  /** The command's own process, which made a session of its own; it must not have been reaped. */
  leader: number;
}

/** Everything of an attempt: its session, what carries its mark, what these have started, and whole process groups. */
export function membersOf(processes: readonly SeenProcess[], { mark, leader }: AttemptTree): SeenProcess[] {
  const members = new Map<number, SeenProcess>();
  const groups = new Set<number>([leader]);
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const seen of processes) {
      const belongs =
        seen.mark === mark ||
        seen.session === leader ||
        groups.has(seen.processGroup) ||
        members.has(seen.parent) ||
        seen.pid === leader;
      if (belongs && !members.has(seen.pid)) {
        members.set(seen.pid, seen);
        if (seen.processGroup > 1) {
          groups.add(seen.processGroup);
        }
      }
    }
  }
  return [...members.values()];
}

export function keyOf({ pid, startTime }: SeenProcess): string {
  return `${pid}-${startTime}`;
}

/** A zombie does nothing any more. */
export function isOver({ state }: SeenProcess): boolean {
  return state === 'Z' || state === 'X';
}

export function isStopped({ state }: SeenProcess): boolean {
  return state === 'T' || state === 't';
}

/** Signals it if it is still the process that was found. */
export function signalSeen(seen: SeenProcess, signal: NodeJS.Signals): boolean {
  return readStat(seen.pid)?.startTime === seen.startTime && sendSignal(seen.pid, signal);
}

/** Signals its whole group, which no fork escapes, if it is still the process that was found. */
export function signalGroupOf(seen: SeenProcess, signal: NodeJS.Signals): boolean {
  const stat = readStat(seen.pid);
  return stat?.startTime === seen.startTime && sendSignal(-stat.processGroup, signal);
}
