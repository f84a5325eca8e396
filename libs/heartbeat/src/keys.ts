/**
 * The only place where a key of the control slot is spelled (but for the queue's `pools`). Scripts get the base as
 * KEYS[1] and add the names below to it; all carry the hash tag {ctl}.
 *
 * | name       | type   | holds                                                         | goes when                     |
 * | ---------- | ------ | ------------------------------------------------------------- | ----------------------------- |
 * | s:SESSION  | hash   | a session, fields in redis/parse-session.ts                   | forget: 1 day after its death |
 * | living     | set    | sessions that are alive or superseded                         | as they die                   |
 * | dead       | zset   | sessions by the time of their death, ms                       | forget                        |
 * | workers    | hash   | worker id -> session in place                                 | forget, with that session     |
 * | epoch      | string | the last epoch given                                          | never                         |
 * | term       | hash   | term, leader, minted (ms)                                     | never                         |
 * | schedulers | hash   | scheduler id -> when it said so (ms), its workers, its version | 12 s after, or as it stops    |
 */
export interface ControlKeys {
  base: string;
  session(session: string): string;
  dead: string;
  workers: string;
  term: string;
}

export const DEFAULT_PREFIX = 'orc';

export function controlKeys(prefix: string = DEFAULT_PREFIX): ControlKeys {
  const base = `${prefix}:c:{ctl}:`;
  return {
    base,
    session: (session) => `${base}s:${session}`,
    dead: `${base}dead`,
    workers: `${base}workers`,
    term: `${base}term`,
  };
}
