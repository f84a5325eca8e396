import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

/** Before the routes: collects their schemas for the OpenAPI document at /openapi.json and its page at /docs. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Distributed Task Orchestrator',
        version,
        description: 'Submit commands, run them on workers, survive the loss of any of them.',
      },
      tags: [
        { name: 'jobs', description: 'Jobs and batches of them.' },
        { name: 'workers', description: 'The processes that run jobs.' },
        { name: 'health', description: 'For probes.' },
      ],
    },
  });
  await app.register(fastifySwaggerUi, { routePrefix: '/docs', staticCSP: true });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
