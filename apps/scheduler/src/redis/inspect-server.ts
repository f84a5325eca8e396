import type { RedisClient } from '@orchestrator/redis';

/** What matters of a Redis server. */
export interface RedisServerFacts {
  product: 'Redis' | 'Valkey';
  version: string;
  /** Undefined: new enough. Otherwise what is asked for. */
  tooOld: string | undefined;
  /** Sentences for whoever runs it; each says what good looks like. */
  warnings: string[];
}

const MIN_MAJOR = { Redis: 7, Valkey: 7 } as const;

/** Asks a server for its version and for settings under which jobs would be lost. */
export async function inspectServer(redis: RedisClient): Promise<RedisServerFacts> {
  const info = parseInfo(await redis.info());
  const save = await configValue(redis, 'save');
  const product = info.has('valkey_version') ? 'Valkey' : 'Redis';
  const version = info.get('valkey_version') ?? info.get('redis_version') ?? 'unknown';
  const least = MIN_MAJOR[product];
  return {
    product,
    version,
    tooOld: Number.parseInt(version, 10) >= least ? undefined : `${product} ${least} or newer`,
    warnings: [...evictionWarnings(info), ...persistenceWarnings(info, save)],
  };
}

function evictionWarnings(info: ReadonlyMap<string, string>): string[] {
  const policy = info.get('maxmemory_policy');
  return policy === undefined || policy === 'noeviction'
    ? []
    : [`maxmemory-policy is ${policy}: a full Redis would throw jobs away; set it to noeviction`];
}

function persistenceWarnings(info: ReadonlyMap<string, string>, save: string | undefined): string[] {
  if (info.get('aof_enabled') === '1') {
    return [];
  }
  return save === ''
    ? ['Redis writes nothing to disk: its end loses all jobs; set appendonly yes']
    : ['Redis writes snapshots only: its end may lose the last minutes; set appendonly yes'];
}

function parseInfo(text: string): Map<string, string> {
  const pairs = text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const colon = line.indexOf(':');
    return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)]] : [];
  });
  return new Map(pairs);
}

/** Undefined where CONFIG is not allowed, as in managed services. */
async function configValue(redis: RedisClient, name: string): Promise<string | undefined> {
  try {
    const [, value] = await redis.config('GET', name);
    return value;
  } catch {
    return undefined;
  }
}
