import {
  type ConfigAnswer,
  type ConfigOf,
  type ConfigProblem,
  duration,
  type Format,
  HOST_PATTERN,
  integer,
  later,
  list,
  loadConfig,
  type LoadedConfig,
  oneOf,
  optionalText,
  port,
  redisMasterName,
  redisSentinels,
  redisUrl,
  redisUrls,
  Setting,
  text,
} from '@orchestrator/config';
import { InvalidValueError } from '@orchestrator/core';
import { DEFAULT_TIMINGS, requireSafeTimings } from '@orchestrator/heartbeat';
import { DEFAULT_PREFIX, type Durability, DURABILITY_EXPECTS, parseDurability } from '@orchestrator/queue';
import { LOG_LEVELS } from '@orchestrator/telemetry';

/** Variables with our prefix that other parts of the product read. */
const OTHERS_VARIABLES = [
  'ORCHESTRATOR_JOIN_TOKEN',
  'ORCHESTRATOR_REDIS_SERVER',
  'ORCHESTRATOR_STATE_DIRECTORY',
  'ORCHESTRATOR_TEST_REDIS',
];

const durabilityFormat: Format<Durability> = {
  name: 'memory|disk|replica:n',
  expects: DURABILITY_EXPECTS,
  parse: parseDurability,
  show: (value) => value,
};

const schema = {
  http: {
    host: text({
      doc: 'Where the REST API listens. Wider than loopback only with auth.mode none.',
      default: '127.0.0.1',
      pattern: HOST_PATTERN,
      expects: 'a host name or an address',
    }),
    port: port({ doc: 'Port of the REST API; 0 = any free one.', default: 8080 }),
    allowedHosts: list({
      doc: 'Names in the Host header that are accepted besides localhost and the loopback addresses.',
      default: [],
      pattern: /^[A-Za-z0-9[][A-Za-z0-9._:[\]-]{0,255}$/,
      expects: 'a host name, maybe with a port',
    }),
    rateLimit: later('Requests a minute for each client.'),
  },
  grpc: {
    host: text({
      doc: 'Where workers dial. Wider than loopback only with auth.joinToken or auth.mode none.',
      default: '127.0.0.1',
      pattern: HOST_PATTERN,
      expects: 'a host name or an address',
    }),
    port: port({ doc: 'Port that workers dial; 0 = any free one.', default: 50051 }),
  },
  redis: {
    url: redisUrl({ doc: 'The Redis that holds everything (7.0 or newer).', default: 'redis://127.0.0.1:6379' }),
    prefix: text({
      doc: 'Before each key.',
      default: DEFAULT_PREFIX,
      pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    }),
    sentinels: redisSentinels({
      doc: 'Redis Sentinels that know which server is the master: host:port each. Instead of redis.url, with redis.name.',
      default: [],
    }),
    name: redisMasterName({
      doc: "The Sentinels' name of the master; redis://user:password@name where it asks for a password.",
      default: undefined,
    }),
    cluster: later('Addresses of nodes of a Redis Cluster.'),
  },
  lock: {
    nodes: redisUrls({
      doc: '1, 3 or 5 independent Redis servers that elect the leader.',
      default: [],
      defaultText: 'the Redis above',
    }),
  },
  heartbeat: {
    interval: duration({ doc: 'Between two heartbeats of a worker.', default: DEFAULT_TIMINGS.intervalMs, minMs: 100 }),
    lease: duration({
      doc: 'A worker that hears nothing for so long stops what it runs.',
      default: DEFAULT_TIMINGS.leaseMs,
      minMs: 300,
    }),
    timeout: duration({
      doc: 'A worker that is not heard of for so long is dead.',
      default: DEFAULT_TIMINGS.timeoutMs,
      minMs: 300,
    }),
  },
  durability: new Setting<Durability>(durabilityFormat, {
    doc: 'When a submission counts as accepted: memory = Redis has executed it, disk = it is on its disk, replica:n = n replicas have it, too.',
    default: 'memory',
  }),
  retention: {
    maxFinished: integer({ doc: 'Finished jobs that are kept in each pool.', default: 100_000, min: 0 }),
    maxOutputBytes: integer({
      doc: 'Bytes of captured output that are kept in each pool; the oldest goes first.',
      default: 256 * 1024 * 1024,
      min: 0,
    }),
  },
  auth: {
    mode: oneOf(['tokens', 'none'], {
      doc: 'none = whoever reaches the ports may do everything. Without any token configured, tokens means loopback only.',
      default: 'tokens',
    }),
    joinToken: optionalText({
      doc: 'What workers must present. Better in the environment than in the file.',
      default: undefined,
      sensitive: true,
    }),
    tokens: later('Tokens of the REST API, as hashes.'),
  },
  tls: {
    cert: later('Certificate of the servers.'),
    key: later('Its private key.'),
    ca: later('Who signs the certificates of workers.'),
  },
  log: {
    level: oneOf(LOG_LEVELS, { doc: 'What is logged.', default: 'info' }),
    format: oneOf(['auto', 'pretty', 'json'], { doc: 'auto = pretty on a terminal, else json.', default: 'auto' }),
  },
};

export type SchedulerConfig = ConfigOf<typeof schema>;

/** @throws {ConfigError} with everything that is wrong. */
export function loadSchedulerConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): LoadedConfig<SchedulerConfig> | ConfigAnswer {
  return loadConfig({
    program: 'orchestrator-scheduler',
    schema,
    argv,
    env,
    crossCheck,
    knownEnv: OTHERS_VARIABLES,
  });
}

function crossCheck(config: SchedulerConfig, given: ReadonlySet<string>): ConfigProblem[] {
  return [...checkTimings(config), ...checkBinding(config), ...checkRedis(config, given), ...checkLockNodes(config)];
}

/** A program that was told of two would have to guess. */
function checkRedis({ redis }: SchedulerConfig, given: ReadonlySet<string>): ConfigProblem[] {
  const hasSentinels = redis.sentinels.length > 0;
  if (hasSentinels !== (redis.name !== undefined)) {
    return [
      hasSentinels
        ? { key: 'redis.name', rule: "expected the Sentinels' name of the master, since redis.sentinels is set" }
        : { key: 'redis.sentinels', rule: 'expected at least one address, since redis.name is set' },
    ];
  }
  return hasSentinels && given.has('redis.url')
    ? [{ key: 'redis.url', rule: 'expected either redis.url, or redis.sentinels with redis.name' }]
    : [];
}

function checkTimings({ heartbeat }: SchedulerConfig): ConfigProblem[] {
  try {
    requireSafeTimings({ intervalMs: heartbeat.interval, leaseMs: heartbeat.lease, timeoutMs: heartbeat.timeout });
    return [];
  } catch (error) {
    if (!(error instanceof InvalidValueError)) {
      throw error;
    }
    // It names the key and its value itself, as a line of ours does.
    const [given = '', rule = ''] = error.message.split(/: (.*)/s);
    return [{ key: error.path, value: given.replace(`${error.path} is `, ''), rule }];
  }
}

/** Whoever reaches these ports can run commands. */
function checkBinding({ http, grpc, auth }: SchedulerConfig): ConfigProblem[] {
  if (auth.mode === 'none') {
    return [];
  }
  const problems: ConfigProblem[] = [];
  if (!isLoopback(http.host)) {
    problems.push({
      key: 'http.host',
      value: JSON.stringify(http.host),
      rule: 'without tokens only loopback is allowed: everybody on the network could run commands. If that is meant, say so with auth.mode none',
    });
  }
  if (!isLoopback(grpc.host) && auth.joinToken === undefined) {
    problems.push({
      key: 'grpc.host',
      value: JSON.stringify(grpc.host),
      rule: 'without auth.joinToken only loopback is allowed: everybody on the network could be a worker. If that is meant, say so with auth.mode none',
    });
  }
  return problems;
}

function checkLockNodes({ lock }: SchedulerConfig): ConfigProblem[] {
  const { length } = lock.nodes;
  return [0, 1, 3, 5].includes(length) && new Set(lock.nodes).size === length
    ? []
    : [{ key: 'lock.nodes', value: `${length} addresses`, rule: 'expected 1, 3 or 5 different Redis servers' }];
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host) || host === '::1' || host === '[::1]';
}
