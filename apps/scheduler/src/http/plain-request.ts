import type { FastifyInstance, FastifyRequest } from 'fastify';

import { invalid } from './problem.js';

/**
 * Refuses what two servers may read in two ways: several Host headers, of which Node takes the first, and an address that
 * names another host itself. What stands before this server has perhaps looked at the other one.
 */
export function requirePlainRequests(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (hostsOf(request) > 1) {
      void reply.header('connection', 'close');
      throw invalid('', 'expected one Host header');
    }
    if (request.raw.url?.startsWith('/') !== true) {
      throw invalid('', 'expected an address that begins with /');
    }
    done();
  });
}

function hostsOf({ raw: { rawHeaders } }: FastifyRequest): number {
  let found = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    found += rawHeaders[i]?.length === 4 && rawHeaders[i]?.toLowerCase() === 'host' ? 1 : 0;
  }
  return found;
}
