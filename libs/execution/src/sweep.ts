import { type Clock, sleep } from '@orchestrator/core';

import { lookAt, readMark, readMarks, readStat, sendSignal, unlessUnreadable } from './proc.js';
import { type Survivors, SurvivorWatch } from './survivors.js';

export interface MarkedProcess {
  pid: number;
  mark: string;
  startTime: string;
  processGroup: number;
}

/**
 * One look at all processes. Those whose mark is asked for, each with the identity that a signal needs.
 * @throws {ProcUnreadableError} when not all could be looked at.
 */
export function findMarked(matches: (mark: string, pid: number) => boolean): MarkedProcess[] {
  return readMarks().flatMap(({ pid, mark }) => {
    if (!matches(mark, pid)) {
      return [];
    }
    const stat = lookAt(pid);
    // Read again after the identity: a pid that changed hands in between has another mark or none.
    return stat !== undefined && readMark(pid) === mark
      ? [{ pid, mark, startTime: stat.startTime, processGroup: stat.processGroup }]
      : [];
  });
}

/** Signals it if it is still the process that was found. */
export function signalMarked(found: MarkedProcess, signal: NodeJS.Signals): boolean {
  return readStat(found.pid)?.startTime === found.startTime && sendSignal(found.pid, signal);
}

/** Undefined when it could not be told: that is no answer, and the next look may give one. */
export function tryToFind(matches: (mark: string, pid: number) => boolean): MarkedProcess[] | undefined {
  return unlessUnreadable(() => findMarked(matches));
}

/** A process that forks while it is looked for may be missed once: only this many empty looks in a row are an answer. */
export const CLEAN_LOOKS = 2;
const LOOK_EVERY_MS = 15;
/** For what does not die. */
const STUBBORN_LOOK_MS = 250;

export interface SweepParams {
  clock: Clock;
  matches: (mark: string, pid: number) => boolean;
  /** Some do not die. Called every ten seconds. */
  onSurvivors: (survivors: Survivors) => void;
}

/**
 * SIGKILL to all that match, until nothing is found, however long that takes: who gives their attempts away relies on it.
 * Answers how many processes were met.
 */
export async function sweepUntilNone({ clock, matches, onSurvivors }: SweepParams): Promise<number> {
  const met = new Set<string>();
  const survivors = new SurvivorWatch(clock, onSurvivors);
  for (let clean = 0; clean < CLEAN_LOOKS;) {
    const found = tryToFind(matches);
    clean = found?.length === 0 ? clean + 1 : 0;
    for (const marked of found ?? []) {
      met.add(`${marked.pid}-${marked.startTime}`);
      signalMarked(marked, 'SIGKILL');
    }
    survivors.note((found ?? []).map(({ pid }) => pid));
    if (clean < CLEAN_LOOKS) {
      await sleep(clock, survivors.areStubborn ? STUBBORN_LOOK_MS : LOOK_EVERY_MS);
    }
  }
  return met.size;
}
