/**
 * The only place where a key of the queue is spelled. `p` is the prefix (`redis.prefix`, default "orc").
 *
 * A pool's slot, hash tag {pool}; scripts get the base `p:p:{pool}:` as KEYS[1] and add the names below to it:
 *
 * | name              | type   | holds                                                                | goes when                      |
 * | ----------------- | ------ | -------------------------------------------------------------------- | ------------------------------ |
 * | calls             | hash   | client -> "number ms" of its last call; `schema` -> version; `server` | idle clients: trim, after 1 day |
 * |                   |        | -> run_id it was on; `recovering` -> ms when its recovery began      | `recovering`: first claim after |
 * |                   |        | `recovered` -> ms when the last recovery began                      | never                          |
 * | awaited           | set    | sessions that a recovery waits for                                   | reconcile, reclaim             |
 * | unsure            | set    | ULIDs of what was frozen when its holder named it in a recovery      | first claim after              |
 * | seq               | string | counter: order of enqueuing and of claiming                          | never                          |
 * | jobs              | hash   | ULID -> the job's record, as text, see below                         | trim or purge                  |
 * | specs             | hash   | ULID -> spec (JSON), written once                                    | with the job                   |
 * | ends              | hash   | ULID -> how its final attempt ended (AttemptEnd, JSON)               | with the job; retry            |
 * | h:ULID            | list   | earlier attempts, oldest first, at most HISTORY_LIMIT                | with the job                   |
 * | queued            | zset   | ULID by place: (1000 - priority) * 2^42 + seq                        | as jobs move                   |
 * | scheduled         | zset   | ULID by due time, ms                                                 | as jobs move                   |
 * | running           | string | how many run: each is in an `s:SESSION`                              | never                          |
 * | succeeded, failed, cancelled, skipped | zset | ULID by the time at which the record expires, ms       | trim or purge                  |
 * | s:SESSION         | zset   | ULIDs a session owns, by order of claim                              | as jobs move                   |
 * | gates             | hash   | session -> epoch                                                     | reclaim                        |
 * | dying             | hash   | session -> losses left to count while its death is carried out       | end of reclaim                 |
 * | orders            | hash   | ULID -> "cancel": running jobs whose worker is to be told            | as the job leaves `running`    |
 * | walk              | hash   | where trim goes on: created (entry), calls (cursor of HSCAN)         | when it is round               |
 * | created           | stream | one entry per enqueued batch: u = ULIDs joined by a space            | trim                           |
 * | b:BATCH           | hash   | state -> jobs of the batch; `kept` -> records left                   | trim, when confirmed           |
 * | emptied           | set    | batches of which no record is left here                              | trim, when confirmed           |
 * | o:ULID:N          | hash   | output of start N: fields in output.lua                              | with the job, or by bytes      |
 * | o:ULID:N:head, :stdout, :stderr | list | chunks: first quarter of both, last three quarters of each   | with it                        |
 * | outputs           | zset   | "ULID:N" by the time of the last write, ms                           | with it                        |
 * | outputBytes       | string | bytes of all outputs                                                 | never                          |
 * | events            | stream | one entry per script call: e = lines "type ULID start worker"        | trimmed to EVENTS_KEPT         |
 * | news              | channel| the same lines, to hurry whoever waits                               |                                |
 *
 * A record is one short text of up to three lines, each with its line break (times in ms by Redis' clock; "-" is an empty
 * value):
 *
 *   place created queued|name=value ...|rule
 *   running attempt fence session worker epoch starts started
 *   state[ finished[letter]]
 *
 * The second line is of the holder, stays after the end, and is missing where nobody held it yet. The third is missing where
 * the job runs, or is queued and has no second. So the claim and the end of nearly all jobs are lines that are added.
 * `finished` is there in final states, with `e` where `ends` has how it ended or a letter of END_LETTERS that says it.
 * `place` is the score in `queued` ("-" when it is to get a new one), `queued` when it came there last. Of the second part of
 * the first line there is what is not 0 or empty: priority · failures · losses · bytes (of its spec, where it is large) ·
 * due · why ("delay" | "backoff" | "loss") · cancel (time of the request) · op ("client:number" of the last retry by hand) · closed (attempt whose own report was
 * accepted last; not told of one that succeeded) · outputs (starts of which output is kept). `rule` is JSON, or empty.
 * All of a transition are one HSET for the whole batch, since a call for each job costs what all the rest does.
 */
export interface QueueKeys {
  /** Base of a pool's slot, KEYS[1] of each of its scripts. */
  pool(pool: string): string;
  /** Channel of a pool's news. */
  news(pool: string): string;
  /** Set of all pools, in the control slot. */
  pools(): string;
  /** string: a name for these data, written by the first scheduler, in the control slot. Gone when they were deleted. */
  mark(): string;
  /** string: SCHEMA_VERSION of these data, written by the first scheduler, in the control slot. */
  schema(): string;
  /** hash: name, total, pools (JSON), sealed. */
  batch(batchId: string): string;
  /** string: an IdempotencyRecord as JSON; expires. */
  idempotency(keyHash: string): string;
}

export const DEFAULT_PREFIX = 'orc';
/**
 * Of all keys with a prefix, those of the control slot included. It grows when a process that knows only the number before
 * would read or write something wrong, see docs/upgrades.md; a new key or field that such a process ignores is no reason.
 */
export const SCHEMA_VERSION = 2;
/** Of what nearly all jobs that succeed end with, a letter is kept instead: a handler, a command. AttemptEnd as JSON. */
export const END_LETTERS: Readonly<Record<string, string>> = {
  h: '{"exitCode":null,"signal":null,"failure":null,"output":{"stdoutBytes":0,"stderrBytes":0,"truncated":false}}',
  c: '{"exitCode":0,"signal":null,"failure":null,"output":{"stdoutBytes":0,"stderrBytes":0,"truncated":false}}',
};
/** Attempts kept with a job, the current one apart. */
export const HISTORY_LIMIT = 20;

export function queueKeys(prefix: string = DEFAULT_PREFIX): QueueKeys {
  return {
    pool: (pool) => `${prefix}:p:{${pool}}:`,
    news: (pool) => `${prefix}:p:{${pool}}:news`,
    pools: () => `${prefix}:c:{ctl}:pools`,
    mark: () => `${prefix}:c:{ctl}:mark`,
    schema: () => `${prefix}:c:{ctl}:schema`,
    batch: (batchId) => `${prefix}:b:{${batchId}}`,
    idempotency: (keyHash) => `${prefix}:i:{${keyHash}}`,
  };
}
