import { setTimeout as pause } from 'node:timers/promises';

import type { Answer, JobView } from '../harness/api.js';
import { type JobWish, recordedJob } from './client.js';
import { FINAL_STATES, type Submission } from './history.js';
import type { LoadBalancer } from './load-balancer.js';
import type { Recorder } from './recorder.js';
import { uptimeMs } from './uptime.js';

const ANSWER_WITHIN_MS = 5_000;
const AGAIN_AFTER_MS = 50;
const POLL_EVERY_MS = 250;
const PATIENCE_MS = 60_000;

export interface Experience {
  answers: number;
  /** Neither 2xx: status and what it said. */
  otherAnswers: string[];
  /** Nobody listened any more. */
  refused: number;
  /** The connection closed under the request. */
  closed: number;
}

/** Submit a job and poll it until it is final, through a load balancer; a request that was not answered is repeated. */
export class BalancedCallers {
  readonly experience: Experience = { answers: 0, otherAnswers: [], refused: 0, closed: 0 };
  readonly #open = new Set<Promise<unknown>>();
  #jobs = 0;
  #stopped = false;
  #loop: Promise<void> | undefined;

  constructor(
    private readonly balancer: LoadBalancer,
    private readonly recorder: Recorder,
  ) {}

  start(jobsPerSecond: number, wish: () => JobWish): void {
    this.#loop = (async () => {
      const startMs = performance.now();
      while (!this.#stopped) {
        const due = Math.floor(((performance.now() - startMs) / 1_000) * jobsPerSecond);
        while (this.#jobs < due) {
          this.#jobs += 1;
          const one = this.#call(`job-${this.#jobs}`, wish()).finally(() => this.#open.delete(one));
          this.#open.add(one);
        }
        await pause(20);
      }
    })();
  }

  /** Resolves when each job that was submitted was seen to be final. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
    await Promise.all(this.#open);
  }

  async #call(key: string, wish: JobWish): Promise<void> {
    const submission: Submission = { key, outcome: 'unknown', expects: 'succeeded', atMs: uptimeMs(), tries: 0 };
    const job = recordedJob(key, wish, this.recorder.commandFile);
    const answer = await this.#ask('POST', '/api/v1/jobs', job, key);
    if (answer?.status === 201) {
      submission.outcome = 'accepted';
      submission.id = (JSON.parse(answer.text) as JobView).id;
    }
    this.recorder.submitted(submission);
    for (let state = ''; submission.id !== undefined && !FINAL_STATES.includes(state) && this.#isPatient(submission);) {
      await pause(POLL_EVERY_MS);
      const seen = await this.#ask('GET', `/api/v1/jobs/${submission.id}`);
      state = seen?.status === 200 ? (JSON.parse(seen.text) as JobView).state : '';
    }
  }

  #isPatient({ atMs }: Submission): boolean {
    return uptimeMs() - atMs < PATIENCE_MS;
  }

  /** The same request until it is answered, by whoever is ready. */
  async #ask(method: string, path: string, body?: unknown, key?: string): Promise<Answer | undefined> {
    const end = performance.now() + PATIENCE_MS;
    while (performance.now() < end) {
      const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
      try {
        const answer = await this.balancer.pick()?.request(method, path, body, { headers, withinMs: ANSWER_WITHIN_MS });
        if (answer !== undefined) {
          this.experience.answers += 1;
          if (answer.status < 300) {
            return answer;
          }
          this.experience.otherAnswers.push(`${method} ${path}: ${answer.status} ${answer.text}`);
        }
      } catch (error) {
        this.#failed(error);
      }
      await pause(AGAIN_AFTER_MS);
    }
    return undefined;
  }

  #failed(error: unknown): void {
    const cause = (error as { cause?: { code?: string } }).cause;
    this.recorder.note({ type: 'no answer', error: String(error), code: cause?.code });
    if (cause?.code === 'ECONNREFUSED') {
      this.experience.refused += 1;
    } else {
      this.experience.closed += 1;
    }
  }
}
