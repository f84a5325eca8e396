import { JOB_STATES, toJobId } from '@orchestrator/core';
import { type BatchStatus, MAX_BATCH, type NewJob } from '@orchestrator/queue';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';

import { BATCH_BODY_BYTES } from './body-parser.js';
import type { HttpDeps } from './deps.js';
import { callerKey } from './fair-seats.js';
import { type Ids, type Submission, submitOnce } from './idempotency.js';
import { BATCH_ID_PATTERN, BatchRequest, IdParams, WaitQuery } from './job-schema.js';
import { hangUpSignal, toWaitMs } from './long-polls.js';
import { naming, ProblemError, toProblemError } from './problem.js';
import { problems, SubmitHeaders } from './schemas.js';
import { type SubmissionContext, toJobDraft, toNewJob, toTraceparent } from './to-job-spec.js';

const BatchAnswer = Type.Object({
  batchId: Type.String(),
  jobs: Type.Array(Type.Object({ id: Type.String(), name: Type.String(), pool: Type.String() })),
});
type BatchAnswer = Static<typeof BatchAnswer>;

const BatchView = Type.Object({
  id: Type.String(),
  name: Type.Union([Type.String(), Type.Null()]),
  total: Type.Integer(),
  counts: Type.Object(Object.fromEntries(JOB_STATES.map((state) => [state, Type.Integer()]))),
  sealed: Type.Boolean({ description: 'All pieces are written; false: its submission was cut short, or goes on.' }),
  done: Type.Boolean({ description: 'All that were written are final.' }),
});

/** POST /jobs/batch, GET /batches/{id} */
export function batchRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/jobs/batch',
      {
        config: { access: 'submitter', audit: 'batch.submit' },
        bodyLimit: BATCH_BODY_BYTES,
        schema: {
          tags: ['jobs'],
          summary: 'Submit up to 10,000 jobs as one batch, checked as a whole before anything is written.',
          headers: SubmitHeaders,
          body: BatchRequest,
          response: { 201: BatchAnswer, ...problems(400, 403, 413, 415, 422, 503, 507) },
        },
      },
      async (request, reply) => {
        const traceparent = toTraceparent(request.headers['traceparent']);
        const bodyBytes = Number(request.headers['content-length'] ?? BATCH_BODY_BYTES);
        const context = { traceparent, submittedBy: request.caller.name, bodyBytes };
        const submission = batchSubmission(deps, request.body, context, request.auditTargets);
        const { answer, replayed } = await submitOnce(request, submission, deps);
        if (replayed) {
          void reply.header('idempotency-replayed', 'true');
        }
        return reply.code(201).header('location', `/api/v1/batches/${answer.batchId}`).send(answer);
      },
    );

    app.get(
      '/batches/:id',
      {
        config: { access: 'viewer' },
        schema: {
          tags: ['jobs'],
          summary: 'A batch with its counts; with `wait` not before it is done or the time is up.',
          params: IdParams,
          querystring: Type.Object(WaitQuery, { additionalProperties: false }),
          response: { 200: BatchView, ...problems(400, 403, 404, 503) },
        },
      },
      async (request, reply) => {
        const read = (): Promise<BatchStatus> => requireBatch(deps, request.params.id);
        const waitMs = toWaitMs(request.query.wait);
        const { pools } = await read();
        const batch = await deps.polls.until({
          caller: callerKey(request),
          pools,
          waitMs,
          signal: hangUpSignal(reply),
          read,
          isDone: (value) => value.done && value.sealed,
        });
        const { batchId, name, total, counts, sealed, done } = batch;
        return { id: batchId, name: name ?? null, total, counts, sealed, done };
      },
    );
  };
}

async function requireBatch({ store }: HttpDeps, id: string): Promise<BatchStatus> {
  const batch = BATCH_ID_PATTERN.test(id) ? await store.getBatch(id) : undefined;
  if (batch === undefined) {
    const shown = JSON.stringify(id.slice(0, 200));
    throw new ProblemError('batch-not-found', `there is no batch ${shown}, or it is no longer kept`);
  }
  return batch;
}

interface PlannedJob {
  pool: string;
  job: NewJob;
}

function batchSubmission(
  deps: HttpDeps,
  request: BatchRequest,
  context: SubmissionContext,
  targets: string[],
): Submission<BatchAnswer> {
  // The whole is checked before ids are made and anything is written.
  const drafts = request.jobs.map((job, index) => toJobDraft(job, `jobs[${index}]`, context));
  const plan = ({ ids, batchId }: Ids): PlannedJob[] =>
    drafts.map((draft, index) => ({ pool: draft.pool, job: toNewJob(draft, ids[index] ?? '', batchId) }));
  const toAnswer = (ids: Ids, planned: readonly PlannedJob[]): BatchAnswer => ({
    batchId: ids.batchId ?? '',
    jobs: planned.map(({ pool, job }) => ({ id: toJobId(pool, job.ulid), name: job.spec.name, pool })),
  });
  return {
    makeIds: () => ({ ids: request.jobs.map(() => deps.newUlid()), batchId: deps.newUlid() }),
    write: async (ids) => {
      targets.push(ids.batchId ?? '');
      const planned = plan(ids);
      await writeBatch(deps, ids.batchId ?? '', request.name, planned);
      return toAnswer(ids, planned);
    },
    // The same ids and the same body make the same answer.
    encode: () => 'sealed',
    decode: (_kept, ids) => {
      targets.push(ids.batchId ?? '');
      return toAnswer(ids, plan(ids));
    },
  };
}

async function writeBatch(
  { store }: HttpDeps,
  batchId: string,
  name: string | undefined,
  planned: readonly PlannedJob[],
): Promise<void> {
  const pools = [...new Set(planned.map(({ pool }) => pool))];
  let written = 0;
  try {
    await store.putBatch({ batchId, name, total: planned.length, pools });
    for (const piece of toPieces(pools, planned)) {
      await store.enqueue(piece.pool, piece.jobs);
      written += piece.jobs.length;
    }
    await store.sealBatch(batchId);
  } catch (error) {
    throw cutShort(error, batchId, written, planned.length);
  }
}

/** In the order of the request within each pool. */
function toPieces(pools: readonly string[], planned: readonly PlannedJob[]): { pool: string; jobs: NewJob[] }[] {
  return pools.flatMap((pool) => {
    const jobs = planned.filter((one) => one.pool === pool).map((one) => one.job);
    const starts = Array.from({ length: Math.ceil(jobs.length / MAX_BATCH) }, (_, index) => index * MAX_BATCH);
    return starts.map((start) => ({ pool, jobs: jobs.slice(start, start + MAX_BATCH) }));
  });
}

function cutShort(error: unknown, batchId: string, written: number, total: number): ProblemError {
  const { kind, detail } = toProblemError(error);
  if (kind === 'durability-unknown') {
    return naming(error, { batchId, written, total, sealed: false });
  }
  if (kind !== 'store-unavailable' && kind !== 'store-full') {
    return toProblemError(error);
  }
  return new ProblemError(
    kind === 'store-full' ? 'store-full' : 'batch-cut-short',
    `${written} of ${total} jobs were confirmed as written and will run; the same Idempotency-Key completes the rest (${detail})`,
    { extensions: { batchId, written, total, sealed: false }, cause: error },
  );
}
