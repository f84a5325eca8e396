import { toJobId } from '@orchestrator/core';
import type { RegistryLook, SessionRecord } from '@orchestrator/heartbeat';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';

import type { HttpDeps } from './deps.js';
import { IdParams, PageQuery } from './job-schema.js';
import { toTime } from './job-view.js';
import { invalid, ProblemError } from './problem.js';
import { pageOf, problems, toLimit } from './schemas.js';

const WorkerView = Type.Object({
  id: Type.String(),
  state: Type.Enum(['alive', 'draining', 'dead']),
  health: Type.Enum(['ok', 'suspect', 'wedged'], {
    description: 'suspect: no heartbeat for two intervals. wedged: it beats, and takes no work.',
  }),
  pools: Type.Array(Type.String()),
  slots: Type.Integer(),
  freeSlots: Type.Integer(),
  running: Type.Array(Type.String(), { description: 'Ids of jobs.' }),
  labels: Type.Record(Type.String(), Type.String()),
  version: Type.String(),
  host: Type.String(),
  connectedTo: Type.Union([Type.String(), Type.Null()]),
  lastHeartbeatAt: Type.String({ format: 'date-time' }),
  startedAt: Type.String({ format: 'date-time' }),
});
type WorkerView = Static<typeof WorkerView>;

/** GET /workers, GET /workers/{id}, POST /workers/{id}/drain */
export function workerRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/workers',
      {
        config: { access: 'viewer' },
        schema: {
          tags: ['workers'],
          summary: 'All workers, by id. Dead ones stay for some minutes.',
          querystring: Type.Object(PageQuery, { additionalProperties: false }),
          response: { 200: pageOf(WorkerView), ...problems(400, 403, 503) },
        },
      },
      async (request) => {
        const after = request.query.cursor === undefined ? '' : fromCursor(request.query.cursor);
        const look = await deps.workers.look(FRESH_MS);
        const later = sessionsInPlace(look).filter((session) => session.worker > after);
        const page = later.slice(0, toLimit(request.query.limit));
        const running = await runningBySession(deps, page);
        const last = page.at(-1);
        return {
          items: page.map((session) => toWorkerView(deps, session, look, running.get(session.session) ?? [])),
          nextCursor: last === undefined || page.length === later.length ? null : toCursor(last.worker),
        };
      },
    );

    app.get(
      '/workers/:id',
      {
        config: { access: 'viewer' },
        schema: {
          tags: ['workers'],
          summary: 'One worker.',
          params: IdParams,
          response: { 200: WorkerView, ...problems(400, 403, 404, 503) },
        },
      },
      async (request) => viewWorker(deps, request.params.id),
    );

    app.post(
      '/workers/:id/drain',
      {
        config: { access: 'admin', audit: 'worker.drain' },
        schema: {
          tags: ['workers'],
          summary: 'Let a worker finish what it has and take nothing new.',
          params: IdParams,
          response: { 202: WorkerView, ...problems(400, 403, 404, 503) },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        request.auditTargets.push(id.slice(0, MAX_SHOWN));
        if ((await deps.registry.drain(id)) === 'unknown') {
          throw workerNotFound(id, 'that is alive');
        }
        return reply.code(202).send(await viewWorker(deps, id));
      },
    );
  };
}

const FRESH_MS = 200;
/** Of an id that names no worker. */
const MAX_SHOWN = 200;

async function viewWorker(deps: HttpDeps, id: string): Promise<WorkerView> {
  const look = await deps.workers.look(0);
  const session = sessionsInPlace(look).find((candidate) => candidate.worker === id);
  if (session === undefined) {
    throw workerNotFound(id);
  }
  const running = await runningBySession(deps, [session]);
  return toWorkerView(deps, session, look, running.get(session.session) ?? []);
}

/** One session a worker id, by id: the one that lives, else the last one. */
function sessionsInPlace(look: RegistryLook): SessionRecord[] {
  const rank = { alive: 2, superseded: 1, dead: 0 } as const;
  const best = new Map<string, SessionRecord>();
  for (const session of look.sessions) {
    const other = best.get(session.worker);
    const isBetter =
      other === undefined ||
      rank[session.state] > rank[other.state] ||
      (session.state === other.state && session.epoch > other.epoch);
    if (isBetter) {
      best.set(session.worker, session);
    }
  }
  return [...best.values()].sort((a, b) => (a.worker < b.worker ? -1 : 1));
}

function toWorkerView(
  { workers }: HttpDeps,
  session: SessionRecord,
  look: RegistryLook,
  running: readonly string[],
): WorkerView {
  const { info } = session;
  const isDead = session.state !== 'alive';
  return {
    id: session.worker,
    state: isDead ? 'dead' : session.draining ? 'draining' : 'alive',
    health: isDead || workers.isSuspect(session, look) ? 'suspect' : session.wedged ? 'wedged' : 'ok',
    pools: [...info.pools],
    slots: info.slots,
    freeSlots: isDead ? 0 : session.freeSlots,
    running: [...running],
    labels: { ...info.labels },
    version: info.version,
    host: info.host,
    connectedTo: isDead ? null : session.scheduler,
    lastHeartbeatAt: toTime(session.lastRenewedAt),
    startedAt: toTime(session.startedAt),
  };
}

async function runningBySession(
  { store }: HttpDeps,
  sessions: readonly SessionRecord[],
): Promise<Map<string, string[]>> {
  const pools = [...new Set(sessions.flatMap((session) => session.info.pools))];
  const bySession = new Map<string, string[]>();
  for (const pool of pools) {
    const inPool = sessions.filter(({ info }) => info.pools.includes(pool)).map(({ session }) => session);
    for (const [session, ulids] of await store.owned(pool, inPool)) {
      bySession.set(session, [...(bySession.get(session) ?? []), ...ulids.map((ulid) => toJobId(pool, ulid))]);
    }
  }
  return bySession;
}

function workerNotFound(id: string, which = ''): ProblemError {
  const detail = `there is no worker ${JSON.stringify(id.slice(0, MAX_SHOWN))} ${which}`;
  return new ProblemError('worker-not-found', detail.trimEnd());
}

function toCursor(worker: string): string {
  return Buffer.from(`w:${worker}`).toString('base64url');
}

function fromCursor(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!text.startsWith('w:')) {
    throw invalid('cursor', 'expected a cursor that this server answered');
  }
  return text.slice(2);
}
