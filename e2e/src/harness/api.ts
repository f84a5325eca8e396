import { waitUntil } from './wait.js';

const ANSWER_WITHIN_MS = 35_000;

export interface Attempt {
  number: number;
  fence: number;
  worker: string;
  startedAt: string;
  finishedAt: string | null;
  outcome: string | null;
  exitCode: number | null;
  signal: string | null;
  reason: string | null;
}

/** A job as the API answers it, as far as these tests look at it. */
export interface JobView {
  id: string;
  name: string;
  state: string;
  createdAt: string;
  finishedAt: string | null;
  worker: string | null;
  attempt: number;
  attempts: number;
  workerLosses: number;
  exitCode: number | null;
  signal: string | null;
  failure: { reason: string; message: string } | null;
  output: { stdoutBytes: number; stderrBytes: number; truncated: boolean };
  waiting: { reason: string; detail: string } | null;
  history: Attempt[];
}

export interface WorkerView {
  id: string;
  state: string;
  health: string;
  version: string;
  connectedTo: string | null;
  running: string[];
}

export interface BatchView {
  total: number;
  counts: Record<string, number>;
  sealed: boolean;
  done: boolean;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

export interface RequestOptions {
  headers?: Record<string, string>;
  withinMs?: number;
}

/** What a user's script does, with fetch. */
export class Api {
  /** `headers`: sent with each request, as that of a token. */
  constructor(
    readonly address: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  async request(
    method: string,
    path: string,
    body?: unknown,
    { headers = {}, withinMs = ANSWER_WITHIN_MS }: RequestOptions = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.address}${path}`, {
      method,
      signal: AbortSignal.timeout(withinMs),
      ...(body === undefined
        ? { headers: { ...this.headers, ...headers } }
        : { headers: { 'content-type': 'application/json', ...this.headers, ...headers }, body: JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  async submit(job: Record<string, unknown>): Promise<JobView> {
    return this.#json<JobView>(201, 'POST', '/api/v1/jobs', { name: 'e2e', ...job });
  }

  async submitBatch(jobs: Record<string, unknown>[]): Promise<{ batchId: string; jobs: { id: string }[] }> {
    return this.#json(201, 'POST', '/api/v1/jobs/batch', { jobs });
  }

  job(id: string): Promise<JobView> {
    return this.#json(200, 'GET', `/api/v1/jobs/${id}`);
  }

  /** Jobs that are kept, newest first, with their history: all, or so many. */
  async jobs(most = Infinity): Promise<JobView[]> {
    const found: JobView[] = [];
    for (let cursor = ''; ;) {
      const page = await this.#json<{ items: JobView[]; nextCursor: string | null }>(
        200,
        'GET',
        `/api/v1/jobs?limit=${Math.min(500, most - found.length)}${cursor}`,
      );
      found.push(...page.items);
      if (page.nextCursor === null || found.length >= most) {
        return found;
      }
      cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
    }
  }

  batch(id: string): Promise<BatchView> {
    return this.#json(200, 'GET', `/api/v1/batches/${id}`);
  }

  async workers(): Promise<WorkerView[]> {
    return (await this.#json<{ items: WorkerView[] }>(200, 'GET', '/api/v1/workers?limit=1000')).items;
  }

  async logs(id: string, query = ''): Promise<string> {
    return (await this.request('GET', `/api/v1/jobs/${id}/logs${query}`)).text;
  }

  async cancel(id: string): Promise<Answer> {
    return this.request('POST', `/api/v1/jobs/${id}/cancel`);
  }

  /** Polls rather than holding a request open: the scheduler may be killed meanwhile. */
  async jobWhen(id: string, what: string, holds: (job: JobView) => boolean, withinMs: number): Promise<JobView> {
    let last: JobView | undefined;
    try {
      return await waitUntil(
        `job ${id} ${what}`,
        async () => {
          last = await this.job(id);
          return holds(last) && last;
        },
        { withinMs },
      );
    } catch (error) {
      throw new Error(`job ${id} is not "${what}" after ${withinMs} ms: ${JSON.stringify(last)}`, { cause: error });
    }
  }

  async finalJob(id: string, withinMs: number): Promise<JobView> {
    return this.jobWhen(id, 'final', (job) => ['succeeded', 'failed', 'cancelled'].includes(job.state), withinMs);
  }

  async #json<T>(expected: number, method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.request(method, path, body);
    if (answer.status !== expected) {
      throw new Error(`${method} ${path} answered ${answer.status}, not ${expected}: ${answer.text}`);
    }
    return JSON.parse(answer.text) as T;
  }
}
