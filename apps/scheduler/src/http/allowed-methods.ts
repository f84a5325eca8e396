import type { FastifyInstance } from 'fastify';

/** Knows which methods a path has, so that a wrong one can be told from a wrong path. */
export class AllowedMethods {
  readonly #routes: { pattern: RegExp; methods: string[] }[] = [];

  constructor(app: FastifyInstance) {
    app.addHook('onRoute', ({ url, method }) => {
      const source = url
        .split('/')
        .map((part) => (part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
        .join('/');
      this.#routes.push({ pattern: new RegExp(`^${source}$`), methods: [method].flat() });
    });
  }

  /** Of a request's url, its query aside. */
  of(url: string): string[] {
    const [path = ''] = url.split('?');
    const methods = this.#routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => route.methods);
    return [...new Set(methods)].sort();
  }
}
