import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { HandlerContext } from './handler-context.js';
import type { HandlerJob } from './handler-wire.js';

export type Handler = (job: HandlerJob, context: HandlerContext) => unknown;

/**
 * Loads the module, CommonJS or ESM, and answers how to find a handler in it: an exported function, or a function in
 * what it exports as default. What an object merely inherits (`constructor`, `toString`) is no handler.
 */
export async function loadHandlers(modulePath: string): Promise<(name: string) => Handler | undefined> {
  const file = isAbsolute(modulePath) ? modulePath : resolve(modulePath);
  const module: unknown = await import(pathToFileURL(file).href);
  const places = [module, ownValue(module, 'default')];
  return (name) => {
    if (name === 'default') {
      return undefined;
    }
    for (const place of places) {
      const value = ownValue(place, name);
      if (typeof value === 'function') {
        return value as Handler;
      }
    }
    return undefined;
  };
}

function ownValue(place: unknown, name: string): unknown {
  const holds =
    (typeof place === 'object' || typeof place === 'function') && place !== null && Object.hasOwn(place, name);
  return holds ? (place as Record<string, unknown>)[name] : undefined;
}
