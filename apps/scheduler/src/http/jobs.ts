import { isFinal, type Job, toJobId } from '@orchestrator/core';
import { withTimeout } from '@orchestrator/lifecycle';
import type { JobFilter, NewsType, PoolRecovery } from '@orchestrator/queue';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { JOB_BODY_BYTES } from './body-parser.js';
import type { HttpDeps } from './deps.js';
import { callerKey } from './fair-seats.js';
import { requireAddress, requireJob } from './find-job.js';
import { submitOnce, type Submission } from './idempotency.js';
import { IdParams, JobListQuery, JobRequest, WaitQuery } from './job-schema.js';
import { type JobView, JobView as JobViewSchema, toJobView } from './job-view.js';
import { hangUpSignal, toWaitMs } from './long-polls.js';
import { naming } from './problem.js';
import { pageOf, problems, SubmitHeaders, toLimit } from './schemas.js';
import { SubmittedAnswers } from './submitted-answer.js';
import { type JobDraft, toJobDraft, toNewJob, toTraceparent } from './to-job-spec.js';
import { explainWaiting, type PoolCapacity } from './waiting.js';

const HINT_LIMIT_MS = 200;
const JSON_TYPE = 'application/json; charset=utf-8';
/** Where nothing is known of workers, a job is said to be about to start. */
const UNKNOWN: PoolCapacity = { workers: 1, slots: 0, freeSlots: 1 };
/** After which a job may be final. */
const ENDS: readonly NewsType[] = ['succeeded', 'failed', 'cancelled'];

/** POST /jobs, GET /jobs, GET /jobs/{id} */
export function jobRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  const answers = new SubmittedAnswers();
  return async (app) => {
    app.post(
      '/jobs',
      {
        config: { access: 'submitter', audit: 'job.submit' },
        bodyLimit: JOB_BODY_BYTES,
        schema: {
          tags: ['jobs'],
          summary: 'Submit a job. 201 means that Redis has it.',
          headers: SubmitHeaders,
          body: JobRequest,
          response: { 201: JobViewSchema, ...problems(400, 403, 413, 415, 422, 503, 507) },
        },
      },
      async (request, reply) => {
        const traceparent = toTraceparent(request.headers['traceparent']);
        const bodyBytes = Number(request.headers['content-length'] ?? JOB_BODY_BYTES);
        const draft = toJobDraft(request.body, '', { traceparent, submittedBy: request.caller.name, bodyBytes });
        const submission = singleSubmission(deps, answers, draft, bodyBytes, request.auditTargets);
        const { answer, replayed } = await submitOnce(request, submission, deps);
        if (replayed) {
          void reply.header('idempotency-replayed', 'true');
        }
        void reply.code(201).header('location', `/api/v1/jobs/${answer.id}`).type(JSON_TYPE);
        return asWritten(answer.text);
      },
    );

    app.get(
      '/jobs',
      {
        config: { access: 'viewer' },
        schema: {
          tags: ['jobs'],
          summary: 'List jobs, newest first. `state` and `label` may be repeated.',
          querystring: JobListQuery,
          response: { 200: pageOf(JobViewSchema), ...problems(400, 403, 503) },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const page = await deps.store.listJobs(toFilter(request.query), {
          limit: toLimit(limit),
          ...(cursor === undefined ? {} : { cursor }),
        });
        const items = await Promise.all(page.jobs.map((job) => viewJob(deps, job)));
        return { items, nextCursor: page.nextCursor ?? null };
      },
    );

    app.get(
      '/jobs/:id',
      {
        config: { access: 'viewer' },
        schema: {
          tags: ['jobs'],
          summary: 'A job with its attempts; with `wait` not before it is final or the time is up.',
          params: IdParams,
          querystring: Type.Object(WaitQuery, { additionalProperties: false }),
          response: { 200: JobViewSchema, ...problems(400, 403, 404, 503) },
        },
      },
      async (request, reply) => {
        const address = requireAddress(request.params.id);
        const job = await deps.polls.until({
          caller: callerKey(request),
          pools: [address.pool],
          ulid: address.ulid,
          types: ENDS,
          waitMs: toWaitMs(request.query.wait),
          signal: hangUpSignal(reply),
          read: () => requireJob(deps.store, address),
          isDone: (value) => isFinal(value.state),
        });
        if (job.state !== 'queued') {
          return viewJob(deps, job);
        }
        const [position, recovery] = await Promise.all([
          deps.store.position(address.pool, address.ulid),
          recoveryHint(deps, address.pool),
        ]);
        return viewJob(deps, job, { position, recovery });
      },
    );
  };
}

/** A job can be read where Redis takes no writes: whether its pool is in recovery is then not known. */
async function recoveryHint({ store, clock }: HttpDeps, pool: string): Promise<PoolRecovery | undefined> {
  try {
    return await withTimeout(clock, HINT_LIMIT_MS, 'asking for the recovery', store.recovery(pool));
  } catch {
    return undefined;
  }
}

/** A job as it is answered, with why it waits. */
export async function viewJob(
  deps: HttpDeps,
  job: Job,
  queued: { position?: number | undefined; recovery?: PoolRecovery | undefined } = {},
): Promise<JobView> {
  const isWaiting = job.state === 'queued' || job.state === 'scheduled';
  if (!isWaiting) {
    return toJobView(job, undefined);
  }
  const capacity = await deps.workers.capacity(job.pool);
  return toJobView(job, explainWaiting(job, capacity, queued.position, queued.recovery));
}

interface SubmitAnswer {
  id: string;
  /** The job as JSON. */
  text: string;
}

/** `targets` hears of the job's id also where it is not certain that it was written. */
function singleSubmission(
  deps: HttpDeps,
  answers: SubmittedAnswers,
  draft: JobDraft,
  bytes: number,
  targets: string[],
): Submission<SubmitAnswer> {
  return {
    makeIds: () => ({ ids: [deps.newUlid()] }),
    write: async ({ ids }) => {
      const { pool } = draft;
      const job = toNewJob(draft, ids[0] ?? '');
      const id = toJobId(pool, job.ulid);
      targets.push(id);
      try {
        const { state, createdAt } = await deps.submitter.submit(pool, job, bytes);
        const capacity = deps.workers.freshCapacity(pool) ?? (await deps.workers.capacityHint(pool)) ?? UNKNOWN;
        return { id, text: answers.write({ pool, job, state, createdAt, capacity }) };
      } catch (error) {
        throw naming(error, { id });
      }
    },
    encode: (answer) => answer.text,
    decode: (text) => {
      const { id } = JSON.parse(text) as JobView;
      targets.push(id);
      return { id, text };
    },
  };
}

/**
 * What is JSON already is written as it is. Not by `reply.send`, of which the handler would have to return the reply: Fastify waits
 * for that with listeners for each way in which an answer can end.
 */
function asWritten(text: string): JobView {
  return text as unknown as JobView;
}

function toFilter(query: JobListQuery): JobFilter {
  const { pool, name, batch } = query;
  return {
    ...(query.state === undefined ? {} : { states: [query.state].flat() }),
    ...(query.label === undefined ? {} : { labels: Object.fromEntries([query.label].flat().map(toLabel)) }),
    ...(pool === undefined ? {} : { pool }),
    ...(name === undefined ? {} : { name }),
    ...(batch === undefined ? {} : { batchId: batch }),
  };
}

function toLabel(text: string): [string, string] {
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1)];
}
