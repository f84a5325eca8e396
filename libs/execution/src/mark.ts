/** What every process of an attempt carries in its environment, and by which it is found when it has left its group. */
export const MARK_VARIABLE = 'ORCHESTRATOR_MARK';

/** A worker process: the pid alone may be somebody else's by now. */
export interface ProcessIdentity {
  pid: number;
  /** In ticks since boot, as `/proc/<pid>/stat` has it; `0` where there is no `/proc`. */
  startTime: string;
}

export interface MarkOwner {
  workerId: string;
  session: string;
  process: ProcessIdentity;
}

/** No attempt has such an id, so a sweep for attempts never meets these. */
export const EXECUTOR_ROLE = '@executor';
export const GUARD_ROLE = '@guard';
/** Each helper has a number, too: it and what it is about to start are found by it. */
export const HELPER_ROLE = '@helper';

export interface Mark extends MarkOwner {
  /** An attempt's id or a role. */
  holder: string;
}

/** The beginning of all marks of one session, with its slash. */
export function toMarkPrefix(owner: MarkOwner): string {
  return `${owner.workerId}/${owner.session}/${owner.process.pid}-${owner.process.startTime}/`;
}

export function toMark(owner: MarkOwner, holder: string): string {
  return toMarkPrefix(owner) + holder;
}

const MARK_PATTERN = /^([^/]+)\/([^/]+)\/(\d+)-(\d+)\/(.+)$/s;

export function parseMark(text: string): Mark | undefined {
  const match = MARK_PATTERN.exec(text);
  if (!match) {
    return undefined;
  }
  const [, workerId = '', session = '', pid = '', startTime = '', holder = ''] = match;
  return { workerId, session, process: { pid: Number(pid), startTime }, holder };
}
