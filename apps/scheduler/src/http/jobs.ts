import { isFinal, type Job, type JobState, toJobId } from '@orchestrator/core';
import { withTimeout } from '@orchestrator/lifecycle';
import type { JobFilter, NewJob, NewsType, PoolRecovery } from '@orchestrator/queue';
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
import { type JobDraft, toJobDraft, toNewJob, toTraceparent } from './to-job-spec.js';
import { explainWaiting } from './waiting.js';

const HINT_LIMIT_MS = 200;
/** After which a job may be final. */
const ENDS: readonly NewsType[] = ['succeeded', 'failed', 'cancelled'];

/** POST /jobs, GET /jobs, GET /jobs/{id} */
export function jobRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
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
        const draft = toJobDraft(request.body, '', { traceparent, submittedBy: request.caller.name });
        const bytes = Number(request.headers['content-length'] ?? JOB_BODY_BYTES);
        const { answer, replayed } = await submitOnce(
          request,
          singleSubmission(deps, draft, bytes, request.auditTargets),
          deps,
        );
        if (replayed) {
          void reply.header('idempotency-replayed', 'true');
        }
        return reply.code(201).header('location', `/api/v1/jobs/${answer.id}`).send(answer);
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

/** `targets` hears of the job's id also where it is not certain that it was written. */
function singleSubmission(deps: HttpDeps, draft: JobDraft, bytes: number, targets: string[]): Submission<JobView> {
  return {
    makeIds: () => ({ ids: [deps.newUlid()] }),
    write: async ({ ids }) => {
      const job = toNewJob(draft, ids[0] ?? '');
      targets.push(toJobId(draft.pool, job.ulid));
      const reply = await deps.submitter.submit(draft.pool, job, bytes).catch((error: unknown) => {
        throw naming(error, { id: toJobId(draft.pool, job.ulid) });
      });
      const capacity = await deps.workers.capacityHint(draft.pool);
      const submitted = asSubmitted(draft.pool, job, reply.state, reply.createdAt);
      return toJobView(submitted, explainWaiting(submitted, capacity ?? { workers: 1, slots: 0, freeSlots: 1 }));
    },
    encode: (answer) => JSON.stringify(answer),
    decode: (kept) => {
      const answer = JSON.parse(kept) as JobView;
      targets.push(answer.id);
      return answer;
    },
  };
}

/** What Redis holds of it now: nothing has to be read again to answer a submission. */
function asSubmitted(pool: string, job: NewJob, state: JobState, createdAt: number): Job {
  const isScheduled = state === 'scheduled';
  return {
    id: toJobId(pool, job.ulid),
    pool,
    spec: job.spec,
    rule: job.rule,
    state,
    createdAt,
    queuedAt: isScheduled ? null : createdAt,
    startedAt: null,
    finishedAt: null,
    cancelRequestedAt: null,
    dueAt: isScheduled ? (job.runAtMs ?? createdAt + (job.delayMs ?? 0)) : null,
    scheduledFor: isScheduled ? 'delay' : null,
    worker: null,
    session: null,
    attemptId: null,
    fence: 0,
    starts: 0,
    failures: 0,
    workerLosses: 0,
    end: null,
    history: [],
  };
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
