import { type Clock, sleep } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { findSessions } from './cgroup.js';
import { EXECUTOR_ROLE, GUARD_ROLE, type Mark, parseMark } from './mark.js';
import { hasProc, isAlive, sharesPidNamespace } from './proc.js';
import { type Survivors, SURVIVORS_TEXT } from './survivors.js';
import { sweepUntilNone, tryToFind } from './sweep.js';

/** An executor whose worker is dead tells the schedulers so before it ends: it is given this long. */
const LAST_WILL_GRACE_MS = 2_000;
const LOOK_EVERY_MS = 50;

export interface LeftoversParams {
  workerId: string;
  clock: Clock;
  logger: Logger;
  /** For tests. @default LAST_WILL_GRACE_MS */
  graceMs?: number;
}

/**
 * Ends what earlier sessions of this worker id left on this host and whose worker process no longer lives. To be called
 * before the first Hello: that may give their jobs to somebody else. Answers how many processes were ended.
 */
export async function endLeftovers(params: LeftoversParams): Promise<number> {
  const { clock, logger, workerId } = params;
  if (!hasProc) {
    logger.warn('There is no /proc: what an earlier process of this worker left behind is not found', { workerId });
    return 0;
  }
  const isLeftover = (text: string, pid: number): Mark | undefined => {
    const mark = parseMark(text);
    const left = mark?.workerId === workerId && !isAlive(mark.process) && sharesPidNamespace(pid);
    return left ? mark : undefined;
  };
  const onSurvivors = (survivors: Survivors): void => void logger.error(SURVIVORS_TEXT, { workerId, ...survivors });
  const sweep = (matches: (text: string, pid: number) => boolean): Promise<number> =>
    sweepUntilNone({
      clock,
      matches,
      onSurvivors,
    });
  const isCommand = (text: string, pid: number): boolean => {
    const holder = isLeftover(text, pid)?.holder;
    return holder !== undefined && holder !== EXECUTOR_ROLE && holder !== GUARD_ROLE;
  };
  let ended = await sweep(isCommand);
  const untilMs = clock.monotonicMs() + (params.graceMs ?? LAST_WILL_GRACE_MS);
  while (tryToFind((text, pid) => isLeftover(text, pid) !== undefined)?.length !== 0 && clock.monotonicMs() < untilMs) {
    await sleep(clock, LOOK_EVERY_MS);
  }
  ended += await sweep((text, pid) => isLeftover(text, pid) !== undefined);
  for (const { cgroup, worker } of findSessions(workerId)) {
    const pids = cgroup.pids();
    if (!isAlive(worker) && pids.every((pid) => pid > 0 && sharesPidNamespace(pid))) {
      ended += pids.length;
      await cgroup.end(clock, onSurvivors);
    }
  }
  if (ended > 0) {
    logger.warn('An earlier process of this worker left something behind: it was ended', {
      workerId,
      processes: ended,
    });
  }
  return ended;
}
