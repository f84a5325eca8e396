import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

const DOCS = '/docs';

/** The plugin's routes cannot say it themselves. Nothing in them is secret: it is all in the source. */
export function openDocs(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (route.url === DOCS || route.url.startsWith(`${DOCS}/`)) {
      route.config = { ...route.config, access: 'open' };
    }
  });
}

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
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'Asked for where tokens are configured (auth.tokens, auth.tokensFile); see docs/access.md.',
          },
        },
      },
      tags: [
        { name: 'jobs', description: 'Jobs and batches of them.' },
        { name: 'workers', description: 'The processes that run jobs.' },
        { name: 'health', description: 'For probes.' },
      ],
    },
  });
  await app.register(fastifySwaggerUi, { routePrefix: DOCS, staticCSP: true });
  app.get('/openapi.json', { config: { access: 'open' }, schema: { hide: true } }, () => app.swagger());
}
