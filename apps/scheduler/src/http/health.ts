import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import type { HttpDeps } from './deps.js';
import { RETRY_AFTER_S } from './problem.js';

const Port = Type.Union([Type.Integer(), Type.Null()]);

const StatusView = Type.Object({
  status: Type.Enum(['ready', 'not_ready']),
  id: Type.String(),
  version: Type.String(),
  leader: Type.Boolean({ description: 'This scheduler leads.' }),
  ports: Type.Object({ http: Port, grpc: Port }),
  redis: Type.Enum(['ok', 'unreachable']),
  durability: Type.String(),
  reason: Type.Optional(Type.String()),
});

/** GET /healthz, GET /readyz: outside the base path. */
export function healthRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/healthz',
      {
        config: { access: 'open', rateLimit: false },
        schema: {
          tags: ['health'],
          summary: 'The process lives.',
          response: { 200: Type.Object({ status: Type.Literal('ok') }) },
        },
      },
      () => ({ status: 'ok' as const }),
    );

    app.get(
      '/readyz',
      {
        config: { access: 'open', rateLimit: false },
        schema: {
          tags: ['health'],
          summary: 'Redis answers and gRPC listens.',
          response: { 200: StatusView, 503: StatusView },
        },
      },
      async (_request, reply) => {
        const status = await deps.status();
        if (status.status === 'ready') {
          return status;
        }
        return reply.code(503).header('retry-after', String(RETRY_AFTER_S)).send(status);
      },
    );
  };
}
