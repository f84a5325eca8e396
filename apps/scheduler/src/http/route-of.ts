import type { FastifyRequest } from 'fastify';

/** The options of a request's route. Fastify makes an object of them at each look, and several hooks look. */
export function routeOf(request: FastifyRequest): FastifyRequest['routeOptions'] {
  request.route ??= request.routeOptions;
  return request.route;
}
