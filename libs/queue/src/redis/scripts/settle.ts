import type { AttemptEnd } from '@orchestrator/core';
import type { ScriptArgument } from '@orchestrator/redis';

import type { Settlement, SettleVerdict } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { END_LETTERS } from '../../keys.js';
import * as lua from '../lua.js';
import type { WithRandom } from './with-random.js';

export interface SettleParams {
  /** One that failed has a random number. */
  ends: readonly (Settlement | WithRandom<Settlement>)[];
  /** What is kept of each stream of each start. */
  outputCapBytes: number;
}

/** Ends attempts; accepted only from the attempt that holds the job. */
export const settle = definePoolScript<SettleParams, SettleVerdict[]>({
  name: 'settle',
  lua: lua.settle,
  args: settleArgs,
  reply: (raw, { ends }) => toVerdicts(raw, ends.length),
});

export function toVerdicts(raw: unknown, count: number): SettleVerdict[] {
  const exceptions = raw as (number | SettleVerdict)[];
  const verdicts = new Array<SettleVerdict>(count).fill('accepted');
  for (let i = 0; i < exceptions.length; i += 2) {
    verdicts[exceptions[i] as number] = exceptions[i + 1] as SettleVerdict;
  }
  return verdicts;
}

/** What the script reads from its own fourth argument on. */
export function settleArgs({ ends, outputCapBytes }: SettleParams): ScriptArgument[] {
  const kinds = new Kinds();
  const jsons = new Jsons();
  const args: ScriptArgument[] = [];
  let lines = '';
  for (const end of ends) {
    lines += `${end.ulid} ${end.attemptId} ${end.fence} ${kinds.positionOf(end)} ${jsons.positionOf(end)}\n`;
    if (end.outcome === 'failed') {
      const random = 'random' in end ? end.random : 0;
      args.push(Number(end.retryable), Number(end.wasFrozen), end.end.exitCode ?? '', random);
    }
    for (const { stream, offset, sequence, data } of end.output) {
      args.push(stream, offset, sequence, data);
    }
  }
  return [outputCapBytes, ...kinds.args(), ...jsons.args(), lines, ...args];
}

const LETTERS: ReadonlyMap<string, string> = new Map(
  Object.entries(END_LETTERS).map(([letter, json]) => [json, letter]),
);

/** The ends themselves as JSON, or as the letter of it: equal ones are sent once. */
class Jsons {
  readonly #positions = new Map<string, number>();
  #last: AttemptEnd | undefined;
  #lastPosition = 0;

  /** From 1. */
  positionOf({ end, outcome }: Settlement): number {
    if (end !== this.#last) {
      const text = JSON.stringify(end);
      const json = (outcome === 'succeeded' ? LETTERS.get(text) : undefined) ?? text;
      this.#last = end;
      this.#lastPosition = this.#positions.get(json) ?? this.#positions.size + 1;
      this.#positions.set(json, this.#lastPosition);
    }
    return this.#lastPosition;
  }

  args(): ScriptArgument[] {
    return [this.#positions.size, ...this.#positions.keys()];
  }
}

/** What most ends of a call have in common is sent once. */
class Kinds {
  readonly #args: ScriptArgument[] = [];
  readonly #positions = new Map<string, number>();
  #last: Settlement | undefined;
  #lastPosition = 0;

  /** From 1. */
  positionOf(end: Settlement): number {
    const last = this.#last;
    const isAsLast =
      last?.by === end.by &&
      last?.holder === end.holder &&
      last?.outcome === end.outcome &&
      last.output.length === end.output.length;
    if (!isAsLast) {
      this.#last = end;
      this.#lastPosition = this.#find(end);
    }
    return this.#lastPosition;
  }

  #find({ by = '', holder, outcome, output }: Settlement): number {
    const { session = '', worker = '', number = 0 } = holder ?? {};
    const key = `${by} ${session} ${worker} ${number} ${outcome} ${output.length}`;
    const known = this.#positions.get(key);
    if (known !== undefined) {
      return known;
    }
    this.#args.push(by, session, worker, number, outcome, output.length);
    this.#positions.set(key, this.#positions.size + 1);
    return this.#positions.size;
  }

  args(): ScriptArgument[] {
    return [this.#positions.size, ...this.#args];
  }
}
