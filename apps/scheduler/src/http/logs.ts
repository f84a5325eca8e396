import { isFinal, type Job } from '@orchestrator/core';
import type { StoredOutput } from '@orchestrator/queue';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';

import type { HttpDeps } from './deps.js';
import { callerKey, FairSeats } from './fair-seats.js';
import { requireAddress, requireJob } from './find-job.js';
import { IdParams, LogsQuery } from './job-schema.js';
import { LogFollower } from './log-follower.js';
import { hangUpSignal } from './long-polls.js';
import { invalid, ProblemError } from './problem.js';
import { problems } from './schemas.js';
import { lastLines, toBytes } from './stored-text.js';

/** Clients that may follow output at a time. */
export const MAX_FOLLOWERS = 200;

/** GET /jobs/{id}/logs */
export function logRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    const closing = new AbortController();
    const seats = new FairSeats(MAX_FOLLOWERS);
    app.addHook('preClose', async () => closing.abort());

    const follow = async (caller: string, reply: FastifyReply, job: Job, query: LogsQuery): Promise<void> => {
      const pushedOut = new AbortController();
      const leave = seats.take(caller, () => pushedOut.abort());
      if (leave === undefined) {
        throw new ProblemError('overloaded', `${MAX_FOLLOWERS} clients follow output already`);
      }
      const gone = hangUpSignal(reply);
      reply.hijack();
      // What hooks have set so far is lost with hijack().
      reply.raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      reply.raw.flushHeaders();
      const follower = new LogFollower({
        store: deps.store,
        clock: deps.clock,
        logger: deps.logger,
        address: requireAddress(job.id),
        attempt: query.attempt === undefined ? undefined : Number(query.attempt),
        stream: query.stream,
        out: reply.raw,
        signal: AbortSignal.any([gone, closing.signal, pushedOut.signal]),
      });
      await follower.run().finally(leave);
    };

    app.get(
      '/jobs/:id/logs',
      {
        config: { access: 'viewer' },
        schema: {
          tags: ['jobs'],
          summary:
            'Captured output, byte for byte; with follow=true, or Accept: text/event-stream, as Server-Sent Events.',
          params: IdParams,
          querystring: LogsQuery,
          response: {
            200: {
              description: 'Both streams as they came, unless one is named; the last attempt, unless one is named.',
              content: {
                'text/plain': { schema: Type.Unsafe<Buffer>(Type.String()) },
                'text/event-stream': { schema: Type.String({ description: 'Events stdout, stderr and at last end.' }) },
              },
            },
            ...problems(400, 403, 404, 410, 503),
          },
        },
      },
      async (request, reply) => {
        const { query } = request;
        const job = await requireJob(deps.store, requireAddress(request.params.id));
        const wantsEvents = request.headers.accept?.toLowerCase().includes('text/event-stream') === true;
        if (query.follow === 'true' || (wantsEvents && query.follow === undefined)) {
          await requireFollowable(deps, job, query);
          await follow(callerKey(request), reply, job, query);
          return reply;
        }
        const attempt = query.attempt === undefined ? job.starts : Number(query.attempt);
        const output = await requireOutput(deps, job, attempt);
        const text = toBytes(output, query.stream);
        void reply.header('content-type', 'text/plain; charset=utf-8').header('x-attempt', String(attempt));
        if (attempt === job.starts && job.end?.output.truncated === true) {
          void reply.header('x-output-truncated', 'true');
        }
        return reply.send(query.tail === undefined ? text : lastLines(text, Number(query.tail)));
      },
    );
  };
}

/** What can be told before the stream begins: afterwards there is no status. */
async function requireFollowable(deps: HttpDeps, job: Job, { attempt, tail }: LogsQuery): Promise<void> {
  if (tail !== undefined) {
    throw invalid('tail', 'is not for following: all that is kept is sent, then what comes');
  }
  if (isFinal(job.state)) {
    await requireOutput(deps, job, attempt === undefined ? job.starts : Number(attempt));
  }
}

/** @throws {ProblemError} 404 for a start that was not, 410 when its output is no longer kept. */
async function requireOutput({ store }: HttpDeps, job: Job, attempt: number): Promise<StoredOutput> {
  if (attempt > job.starts) {
    throw new ProblemError(
      'attempt-not-found',
      `the job has started ${job.starts} ${job.starts === 1 ? 'time' : 'times'}: there is no attempt ${attempt}`,
    );
  }
  const address = requireAddress(job.id);
  const output = attempt === 0 ? undefined : await store.readOutput(address.pool, address.ulid, attempt);
  if (output === undefined && hadOutput(job, attempt)) {
    throw new ProblemError('output-trimmed', `the output of attempt ${attempt} was removed to make room (retention)`);
  }
  return output ?? { chunks: [] };
}

/** Only the end of the last attempt tells how much there was. */
function hadOutput(job: Job, attempt: number): boolean {
  const counts = job.end?.output;
  return (
    isFinal(job.state) && attempt === job.starts && counts !== undefined && counts.stdoutBytes + counts.stderrBytes > 0
  );
}
