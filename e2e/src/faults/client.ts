import { setTimeout as pause } from 'node:timers/promises';

import type { Api } from '../harness/api.js';
import { type CommandOptions, recordedCommand } from './command-lines.js';
import type { Submission } from './history.js';
import type { Recorder } from './recorder.js';
import type { SeededRandom } from './seeded-random.js';
import { uptimeMs } from './uptime.js';

const ANSWER_WITHIN_MS = 5_000;
const AGAIN_AFTER_MS = 100;

export interface JobWish extends Omit<CommandOptions, 'file'> {
  expects?: Submission['expects'];
  /** More fields of the submission. */
  fields?: Readonly<Record<string, unknown>>;
  /** How long it is tried to get an answer. */
  patienceMs?: number;
}

export interface ClientParams {
  /** Of those that should be there: tried in turn, from a random one on. */
  apis: readonly Api[];
  recorder: Recorder;
  random: SeededRandom;
}

/** A user's script that does it right: one Idempotency-Key for each job, and the same request until it is answered. */
export class Client {
  #submitted = 0;

  constructor(private readonly params: ClientParams) {}

  async submit(wish: JobWish): Promise<Submission> {
    const { apis, recorder, random } = this.params;
    this.#submitted += 1;
    const key = `job-${this.#submitted}`;
    const body = recordedJob(key, wish, recorder.commandFile);
    const first = random.between(0, apis.length - 1);
    const end = performance.now() + (wish.patienceMs ?? 60_000);
    const submission: Submission = {
      key,
      outcome: 'unknown',
      expects: wish.expects ?? 'succeeded',
      atMs: uptimeMs(),
      tries: 0,
    };
    while (submission.outcome === 'unknown' && performance.now() < end) {
      const api = apis[(first + submission.tries) % apis.length];
      submission.tries += 1;
      const answer = await api
        ?.request('POST', '/api/v1/jobs', body, { headers: { 'idempotency-key': key }, withinMs: ANSWER_WITHIN_MS })
        .catch(() => undefined);
      if (answer?.status === 201) {
        submission.outcome = 'accepted';
        submission.id = (JSON.parse(answer.text) as { id: string }).id;
      } else if (answer !== undefined && answer.status < 500 && answer.status !== 429) {
        submission.outcome = 'refused';
        recorder.note({ type: 'refused', key, status: answer.status, text: answer.text });
      } else {
        await pause(AGAIN_AFTER_MS);
      }
    }
    recorder.submitted(submission);
    return submission;
  }
}

/** The body of a submission: a command that says in `file` what it does. */
export function recordedJob(
  key: string,
  { ms, failures = 0, prints = 0, fields = {} }: JobWish,
  file: string,
): Record<string, unknown> {
  const { env, ...command } = recordedCommand({ ms, failures, prints, file });
  return {
    name: key,
    ...command,
    timeout: 300,
    maxWorkerLosses: 100,
    ...(failures === 0 ? {} : { attempts: failures + 1, backoff: { type: 'fixed', delay: 0.2, jitter: 'none' } }),
    ...fields,
    env: { ...(env as Record<string, string>), ...(fields['env'] as Record<string, string> | undefined) },
  };
}
