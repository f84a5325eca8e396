import type { FastifyInstance } from 'fastify';

/** Every route of a server that is ready, as "GET /api/v1/jobs/:id", its HEAD routes too. */
export function routesOf(app: FastifyInstance): string[] {
  const routes: string[] = [];
  // A tree: each line has the part of the path that it adds to the line above it that is less indented.
  const above: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false, includeHooks: false }).split('\n')) {
    const [, indent = '', part = '', methods = ''] = /^(.*?── )(\S+)(?: \(([A-Z, ]+)\))?/.exec(line) ?? [];
    const depth = indent.length / 4 - 1;
    above[depth] = part;
    const path = above.slice(0, depth + 1).join('');
    routes.push(
      ...methods
        .split(', ')
        .filter((method) => method !== '')
        .map((method) => `${method} ${path}`),
    );
  }
  return routes;
}
