import { setTimeout as pause } from 'node:timers/promises';

import type { SchedulerSeat } from './cluster/scheduler-seat.js';
import { recordedCommand } from './command-lines.js';
import { span } from './measure.js';
import type { Recorder } from './recorder.js';
import { requireThat } from './scenario.js';
import { uptimeMs } from './uptime.js';

interface Answered {
  atMs: number;
  scheduler: string;
  what: 'submit' | 'read' | 'alive';
  /** 0: no answer at all. */
  status: number;
  tookMs: number;
  retryAfter: string | null;
  /** Of the job that was made. */
  id?: string;
  /** Of a refusal. */
  text?: string;
}

export interface CallersParams {
  schedulers: readonly SchedulerSeat[];
  recorder: Recorder;
  /** Of a job that was accepted before: it is never "not found". */
  knownJob: string;
  /** What a submission may be answered. Default 201 and 503. */
  submissions?: readonly number[];
}

/** What the API promises: who is refused knows it within 3 s. A 201 that a slow Redis delays is better than that. */
const REFUSED_WITHIN_MS = 3_000;
const PATIENCE_MS = 10_000;
const EVERY_MS = 250;

/**
 * Callers who try each thing once, at each scheduler, four times a second: one submission, one look at a job. Whatever
 * is done to Redis, an answer is true and comes in time. How long `/healthz` takes meanwhile, which asks nobody, is what
 * the machine itself is behind.
 */
export class Callers {
  readonly answers: Answered[] = [];
  readonly #loops: Promise<void>[];
  #stopped = false;
  #count = 0;

  constructor(private readonly params: CallersParams) {
    this.#loops = params.schedulers.flatMap((seat) => [
      this.#repeat(() => this.#submit(seat)),
      this.#repeat(() => this.#ask(seat, 'read')),
      this.#repeat(() => this.#ask(seat, 'alive')),
    ]);
  }

  /** Stops, throws what was answered wrongly, and says what was answered. */
  async conclude(): Promise<string> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    const { submissions = [201, 503] } = this.params;
    const allowed = { submit: submissions, read: [200, 503], alive: [200] };
    const wrong = this.answers.filter((answer) => {
      const { what, status, tookMs, retryAfter } = answer;
      const isLate = status >= 500 && tookMs > REFUSED_WITHIN_MS + this.#machineBehindMs(answer);
      return !allowed[what].includes(status) || isLate || (status >= 500 && retryAfter === null);
    });
    requireThat(wrong.length === 0, `${wrong.length} wrong answers: ${JSON.stringify(wrong.slice(0, 3))}`);
    const refused = this.answers.filter(({ status }) => status >= 500);
    const codes = [...new Set(refused.map(({ status }) => status))].sort().join(' and ');
    return refused.length === 0
      ? `${this.answers.length} answers, none refused`
      : `${refused.length} answers ${codes}, the slower half after ${span([median(refused), Math.max(...refused.map(({ tookMs }) => tookMs))])}`;
  }

  /** How many submissions were answered so since then. */
  count(status: number, sinceMs: number, scheduler?: string): number {
    return this.answers.filter(
      (answer) =>
        answer.what === 'submit' &&
        answer.status === status &&
        answer.atMs >= sinceMs &&
        (scheduler === undefined || answer.scheduler === scheduler),
    ).length;
  }

  /** From then until every scheduler accepted a submission that was sent later. Undefined: not all of them did. */
  acceptedAgainAfterMs(sinceMs: number): number | undefined {
    const firsts = this.params.schedulers.map(({ name }) =>
      this.answers.find(
        ({ scheduler, what, status, atMs }) =>
          scheduler === name && what === 'submit' && status === 201 && atMs >= sinceMs,
      ),
    );
    const ends = firsts.map((answer) => (answer === undefined ? Infinity : answer.atMs + answer.tookMs - sinceMs));
    return ends.every(Number.isFinite) ? Math.max(...ends) : undefined;
  }

  /** Once when it is asked, once when it answers. */
  #machineBehindMs({ atMs, tookMs, scheduler }: Answered): number {
    const meanwhile = this.answers.filter(
      (other) =>
        other.what === 'alive' &&
        other.scheduler === scheduler &&
        other.atMs <= atMs + tookMs &&
        other.atMs + other.tookMs >= atMs,
    );
    return 2 * Math.max(0, ...meanwhile.map((other) => other.tookMs));
  }

  async #repeat(call: () => Promise<unknown>): Promise<void> {
    while (!this.#stopped) {
      const next = performance.now() + EVERY_MS;
      await call();
      await pause(Math.max(0, next - performance.now()));
    }
  }

  /** One more, to be run later. Answers the id of the job. */
  async submitDelayed(seconds: number): Promise<string> {
    const [seat] = this.params.schedulers;
    const { id, status } = seat === undefined ? { status: 0 } : await this.#submit(seat, { delay: seconds });
    if (id === undefined) {
      throw new Error(`a submission with a delay was answered ${status}`);
    }
    return id;
  }

  async #submit(seat: SchedulerSeat, fields: Record<string, unknown> = {}): Promise<Answered> {
    this.#count += 1;
    const key = `caller-${this.#count}`;
    const { recorder } = this.params;
    const command = recordedCommand({ ms: 0, file: recorder.commandFile });
    const body = { name: key, ...command, maxWorkerLosses: 100, ...fields };
    const answer = await this.#ask(seat, 'submit', body, key);
    const accepted = answer.status === 201;
    recorder.submitted({
      key,
      outcome: accepted ? 'accepted' : answer.status === 507 ? 'refused' : 'unknown',
      ...(answer.id === undefined ? {} : { id: answer.id }),
      expects: 'succeeded',
      atMs: answer.atMs,
      tries: 1,
    });
    return answer;
  }

  async #ask(seat: SchedulerSeat, what: Answered['what'], body?: unknown, key?: string): Promise<Answered> {
    const [atMs, since] = [uptimeMs(), performance.now()];
    const path = { submit: '/api/v1/jobs', read: `/api/v1/jobs/${this.params.knownJob}`, alive: '/healthz' }[what];
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
    const answer = await seat.api
      .request(what === 'submit' ? 'POST' : 'GET', path, body, { headers, withinMs: PATIENCE_MS })
      .catch((error: unknown) => ({ status: 0, headers: new Headers(), text: String(error) }));
    const answered: Answered = {
      atMs,
      scheduler: seat.name,
      what,
      status: answer.status,
      tookMs: Math.round(performance.now() - since),
      retryAfter: answer.headers.get('retry-after'),
      ...(answer.status === 201 ? { id: (JSON.parse(answer.text) as { id: string }).id } : {}),
      ...(answer.status >= 300 || answer.status === 0 ? { text: answer.text } : {}),
    };
    this.answers.push(answered);
    if (answered.status !== 200 && answered.status !== 201) {
      this.params.recorder.note({ type: 'answered', ...answered });
    }
    return answered;
  }
}

function median(answers: readonly Answered[]): number {
  return answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b)[Math.floor(answers.length / 2)] ?? 0;
}
