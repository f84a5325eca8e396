import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';

import type { HttpDeps } from './deps.js';
import { routeOf } from './route-of.js';

/** Counts every answer. Before the routes. */
export function countRequests(app: FastifyInstance, { metrics }: HttpDeps): void {
  app.addHook('onResponse', (request, reply, done) => {
    metrics.requestAnswered(request.method, routeOf(request).url, reply.statusCode);
    done();
  });
}

/** GET /metrics: outside the base path. */
export function metricsRoutes({ metrics }: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/metrics',
      {
        config: { access: 'viewer' },
        schema: {
          tags: ['health'],
          summary: 'What this scheduler does, for Prometheus.',
          response: { 200: { description: 'OK', content: { 'text/plain': { schema: Type.String() } } } },
        },
      },
      async (_request, reply) => reply.header('content-type', metrics.contentType).send(await metrics.text()),
    );
  };
}
