import { OrchestratorError } from '@orchestrator/core';
import type { FastifyInstance, RouteOptions } from 'fastify';

import { problems } from './schemas.js';

/** A route that does not say what `route-config.ts` asks of it. */
export class UndeclaredRouteError extends OrchestratorError {
  constructor(route: string, missing: string) {
    super('UNDECLARED_ROUTE', `the route ${route} does not say its ${missing}: expected config.${missing}`);
  }
}

/** Before the routes: each must say who may call it and, if it changes something, how the audit log calls that. */
export function requireDeclaredRoutes(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const { access, audit } = route.config ?? {};
    const name = `${[route.method].flat().join(',')} ${route.url}`;
    if (access === undefined) {
      throw new UndeclaredRouteError(name, 'access');
    }
    if (audit === undefined && ![route.method].flat().every((method) => method === 'GET' || method === 'HEAD')) {
      throw new UndeclaredRouteError(name, 'audit');
    }
    if (access !== 'open') {
      describeAccess(route);
    }
  });
}

/** For the OpenAPI document: what every route with a token may answer. */
function describeAccess(route: RouteOptions): void {
  const { access } = route.config ?? {};
  route.schema = {
    ...route.schema,
    security: [{ token: [] }],
    description: `Takes the role ${access}, where tokens are asked for.`,
    response: { ...problems(401, 403, 429), ...(route.schema?.response as object | undefined) },
  };
}
