import type { Job } from '@orchestrator/core';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import type { Caller } from '../access/caller.js';
import type { HttpDeps } from './deps.js';
import { jobNotFound, requireAddress, requireJob } from './find-job.js';
import { IdParams } from './job-schema.js';
import { JobView } from './job-view.js';
import { viewJob } from './jobs.js';
import { ProblemError } from './problem.js';
import { problems } from './schemas.js';

/** POST /jobs/{id}/cancel, POST /jobs/{id}/retry, DELETE /jobs/{id} */
export function jobActionRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/jobs/:id/cancel',
      {
        config: { access: 'submitter', audit: 'job.cancel' },
        schema: {
          tags: ['jobs'],
          summary: 'Cancel a job: at once while it waits, by signals while it runs.',
          params: IdParams,
          response: { 202: JobView, ...problems(400, 403, 404, 409, 503) },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const address = requireAddress(id);
        request.auditTargets.push(id);
        if (request.caller.role === 'submitter') {
          requireOwn(await requireJob(deps.store, address), request.caller);
        }
        const [verdict] = await deps.store.cancel(address.pool, [address.ulid]);
        if (verdict === 'not_found' || verdict === undefined) {
          throw jobNotFound(id);
        }
        const job = await requireJob(deps.store, address);
        if (verdict === 'final') {
          throw new ProblemError('job-not-cancellable', `the job has ended already: it is ${job.state}`);
        }
        return reply.code(202).send(await viewJob(deps, job));
      },
    );

    app.post(
      '/jobs/:id/retry',
      {
        config: { access: 'admin', audit: 'job.retry' },
        schema: {
          tags: ['jobs'],
          summary: 'Queue a failed or cancelled job again, with a fresh allowance of attempts.',
          params: IdParams,
          response: { 202: JobView, ...problems(400, 403, 404, 409, 503, 507) },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const address = requireAddress(id);
        request.auditTargets.push(id);
        const [verdict] = await deps.store.retry(address.pool, [address.ulid]);
        if (verdict === 'not_found' || verdict === undefined) {
          throw jobNotFound(id);
        }
        const job = await requireJob(deps.store, address);
        if (verdict === 'not_retryable') {
          throw new ProblemError(
            'job-not-retryable',
            `only a failed, cancelled or skipped job can be retried: it is ${job.state}`,
          );
        }
        return reply.code(202).send(await viewJob(deps, job));
      },
    );

    app.delete(
      '/jobs/:id',
      {
        config: { access: 'admin', audit: 'job.delete' },
        schema: {
          tags: ['jobs'],
          summary: 'Remove a final job and its logs.',
          params: IdParams,
          response: { 204: Type.Null(), ...problems(400, 403, 404, 409, 503) },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const address = requireAddress(id);
        request.auditTargets.push(id);
        const [verdict] = await deps.store.purge(address.pool, [address.ulid]);
        if (verdict === 'not_found' || verdict === undefined) {
          throw jobNotFound(id);
        }
        if (verdict === 'not_final') {
          throw new ProblemError('job-not-final', 'only a job that has ended can be removed; cancel it first');
        }
        return reply.code(204).send(null);
      },
    );
  };
}

/** @throws {ProblemError} 403 */
function requireOwn(job: Job, caller: Caller): void {
  if (job.spec.submittedBy === undefined || job.spec.submittedBy !== caller.name) {
    throw new ProblemError('forbidden', 'a submitter cancels its own jobs only, and another one submitted this');
  }
}
