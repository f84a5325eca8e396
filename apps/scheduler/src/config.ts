import {
  type ConfigAnswer,
  type ConfigOf,
  duration,
  type Format,
  HOST_PATTERN,
  integer,
  later,
  list,
  loadConfig,
  type LoadedConfig,
  map,
  oneOf,
  optionalText,
  port,
  redisMasterName,
  redisSentinels,
  redisUrl,
  redisUrls,
  Setting,
  text,
  TOKEN_EXPECTS,
  TOKEN_PATTERN,
} from '@orchestrator/config';
import { NAME_PATTERN } from '@orchestrator/core';
import { DEFAULT_TIMINGS } from '@orchestrator/heartbeat';
import { DEFAULT_PREFIX, type Durability, DURABILITY_EXPECTS, parseDurability } from '@orchestrator/queue';
import { LOG_LEVELS } from '@orchestrator/telemetry';

import { NEW_TOKEN } from './access/new-token.js';
import { VERIFY_AUDIT } from './audit/verify-audit.js';
import { crossCheck } from './config-rules.js';

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
      doc: 'Where the REST API listens. Wider than loopback only with tokens (auth.tokens, auth.tokensFile) or auth.mode none.',
      default: '127.0.0.1',
      pattern: HOST_PATTERN,
      expects: 'a host name or an address',
    }),
    port: port({ doc: 'Port of the REST API; 0 = any free one.', default: 8080 }),
    allowedHosts: list({
      doc: 'Names in the Host header that are accepted besides localhost and the loopback addresses, where no token is asked for.',
      default: [],
      pattern: /^[A-Za-z0-9[][A-Za-z0-9._:[\]-]{0,255}$/,
      expects: 'a host name, maybe with a port',
    }),
    rateLimit: integer({
      doc: 'Requests a minute for each token, without tokens for each address; 0 = no limit. Counted by each scheduler for itself.',
      default: 0,
      min: 0,
    }),
    closeDelay: duration({
      doc: 'On the way down /readyz says 503 and requests are still answered for so long: the time that a load balancer needs to notice.',
      default: 0,
      maxMs: 300_000,
    }),
  },
  grpc: {
    host: text({
      doc: 'Where workers dial. Wider than loopback only with auth.joinToken, auth.joinTokenFile, tls.ca or auth.mode none.',
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
    passwordFile: optionalText({
      doc: 'File with the password of Redis (also of lock.nodes), instead of one in the address; read again when it changes.',
      default: undefined,
    }),
    ca: optionalText({
      doc: 'Certificate authority (PEM file) of rediss:// addresses.',
      default: undefined,
      defaultText: 'those that Node knows',
    }),
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
      doc: 'What workers must present. Better in auth.joinTokenFile, which can be exchanged without a restart.',
      default: undefined,
      sensitive: true,
      pattern: TOKEN_PATTERN,
      expects: TOKEN_EXPECTS,
    }),
    joinTokenFile: optionalText({
      doc: 'File with auth.joinToken, one or several, a line each, of which any holds; read again when it changes.',
      default: undefined,
    }),
    tokens: map({
      doc: 'Tokens of the REST API: name=role:hash, the SHA-256 of the token in hex, maybe :date after which it is void. --new-token ROLE makes one.',
      default: {},
      keyPattern: NAME_PATTERN,
      // Somebody may take the token itself for its line.
      sensitive: true,
    }),
    tokensFile: optionalText({
      doc: 'YAML file of such tokens, besides those of auth.tokens; read again when it changes.',
      default: undefined,
    }),
  },
  tls: {
    cert: optionalText({
      doc: 'Certificate of HTTP and gRPC (PEM file, with what is between it and the root); read again when it changes.',
      default: undefined,
    }),
    key: optionalText({ doc: 'Its private key (PEM file).', default: undefined }),
    ca: optionalText({
      doc: 'Certificate authority of workers (PEM file): each worker must present a certificate with its id.',
      default: undefined,
    }),
  },
  audit: {
    file: optionalText({
      doc: 'File to which each change is appended, as a chain of hashes.',
      default: undefined,
      defaultText: 'the log, at level info',
    }),
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
    commands: [NEW_TOKEN, VERIFY_AUDIT],
    knownEnv: OTHERS_VARIABLES,
  });
}
