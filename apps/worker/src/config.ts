import { statSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';

import {
  type ConfigAnswer,
  type ConfigOf,
  type ConfigProblem,
  duration,
  HOST_PORT_PATTERN,
  integer,
  later,
  list,
  loadConfig,
  type LoadedConfig,
  map,
  namedSettings,
  oneOf,
  optionalText,
  text,
  TOKEN_EXPECTS,
  TOKEN_PATTERN,
} from '@orchestrator/config';
import { DEFAULT_KILL_GRACE_MS, DEFAULT_POOL, NAME_PATTERN, POOL_PATTERN, systemRandom } from '@orchestrator/core';
import { LOG_LEVELS } from '@orchestrator/telemetry';
import { DEFAULT_DRAIN_TIMEOUT_MS } from '@orchestrator/worker-session';

const DEFAULT_MAX_OUTPUT_BYTES = 256 * 1024;
const MIN_OUTPUT_BYTES = 1024;
/** Of each stream and attempt, held in memory by the executor. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const MAX_SLOTS = 1_000;
const ID_SUFFIX_BYTES = 2;

/** Variables with our prefix that other parts of the product read. */
const OTHERS_VARIABLES = ['ORCHESTRATOR_REDIS_URL', 'ORCHESTRATOR_STATE_DIRECTORY', 'ORCHESTRATOR_TEST_REDIS'];

const schema = {
  id: text({
    doc: 'Name of this worker. A newer process with the same id takes its place.',
    default: defaultId(),
    defaultText: 'the host name and 4 random characters',
    pattern: NAME_PATTERN,
  }),
  schedulers: list({
    doc: 'Addresses of schedulers, dialed in turn, by each worker in an order of its own.',
    default: ['127.0.0.1:50051'],
    pattern: HOST_PORT_PATTERN,
    expects: 'host:port',
    atLeastOne: true,
  }),
  pools: list({
    doc: 'Pools of which this worker takes jobs.',
    default: [DEFAULT_POOL],
    pattern: POOL_PATTERN,
    atLeastOne: true,
  }),
  slots: integer({
    doc: 'How many jobs run at once.',
    default: availableParallelism(),
    defaultText: 'number of cores',
    min: 1,
    max: MAX_SLOTS,
  }),
  labels: map({ doc: 'What is worth knowing of this worker, shown by the API.', default: {} }),
  executor: {
    passEnv: list({
      doc: 'Variables of this worker that commands get, too, besides PATH, HOME, LANG, TZ and TMPDIR.',
      default: [],
      pattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
      expects: 'the name of a variable',
    }),
    cwd: optionalText({
      doc: 'Directory for commands whose job names none.',
      default: undefined,
      defaultText: 'where the worker was started',
    }),
    killGrace: duration({ doc: 'Between SIGTERM and SIGKILL.', default: DEFAULT_KILL_GRACE_MS }),
    maxOutput: integer({
      doc: 'Bytes of output kept of each stream: the first quarter and the last three.',
      default: DEFAULT_MAX_OUTPUT_BYTES,
      min: MIN_OUTPUT_BYTES,
      max: MAX_OUTPUT_BYTES,
    }),
    cgroup: oneOf(['auto', 'off'], {
      doc: 'auto: a cgroup (v2) for each attempt, where this worker may make one: nothing escapes it. off: starts cost 15 % less.',
      default: 'auto',
    }),
  },
  drainTimeout: duration({
    doc: 'After a signal what runs has this long; the rest is handed back. 0 = without limit.',
    default: DEFAULT_DRAIN_TIMEOUT_MS,
  }),
  joinToken: optionalText({
    doc: 'Presented to schedulers (their auth.joinToken).',
    default: undefined,
    sensitive: true,
    pattern: TOKEN_PATTERN,
    expects: TOKEN_EXPECTS,
  }),
  joinTokenFile: optionalText({ doc: 'File with joinToken; read again at each connection.', default: undefined }),
  tls: {
    ca: optionalText({
      doc: 'Certificate authority of schedulers (PEM file), or system: those that Node knows. With it connections are encrypted.',
      default: undefined,
    }),
    cert: optionalText({
      doc: "This worker's certificate (PEM file), where schedulers ask for one; read again at each connection.",
      default: undefined,
    }),
    key: optionalText({ doc: 'Its private key (PEM file).', default: undefined }),
  },
  metrics: { port: later('Port of the metrics.') },
  handlers: optionalText({
    doc: 'Module whose exported functions run the jobs that name a handler.',
    default: undefined,
  }),
  log: {
    level: oneOf(LOG_LEVELS, { doc: 'The least important lines that are written.', default: 'info' }),
    format: oneOf(['json', 'pretty'], {
      doc: 'One JSON object or one readable text a line.',
      default: process.stdout.isTTY ? 'pretty' : 'json',
      defaultText: 'pretty on a terminal, else json',
    }),
  },
};

export type WorkerConfig = ConfigOf<typeof schema>;

/** @throws {ConfigError} naming each key that is wrong. */
export function loadWorkerConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): LoadedConfig<WorkerConfig> | ConfigAnswer {
  return loadConfig({ program: 'orchestrator-worker', schema, argv, env, crossCheck, knownEnv: OTHERS_VARIABLES });
}

function crossCheck(config: WorkerConfig): ConfigProblem[] {
  return [...checkDirectory(config), ...checkJoinToken(config), ...checkTls(config), ...checkPassEnv(config)];
}

function checkJoinToken({ joinToken, joinTokenFile }: WorkerConfig): ConfigProblem[] {
  return joinToken === undefined || joinTokenFile === undefined
    ? []
    : [{ key: 'joinTokenFile', rule: 'expected either joinTokenFile or joinToken' }];
}

function checkTls({ tls }: WorkerConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const [missing, other] = tls.cert === undefined ? ['tls.cert', 'tls.key'] : ['tls.key', 'tls.cert'];
    problems.push({ key: missing, rule: `expected the path of a file, since ${other} is set` });
  }
  if (tls.ca === undefined && (tls.cert ?? tls.key) !== undefined) {
    problems.push({
      key: 'tls.ca',
      rule: 'expected a file, or system: without it there is no TLS to present a certificate over',
    });
  }
  return problems;
}

/** Commands are other people's. */
function checkPassEnv({ executor: { passEnv } }: WorkerConfig): ConfigProblem[] {
  const secret = namedSettings(schema).find(({ env, setting }) => setting.sensitive && passEnv.includes(env));
  return secret === undefined
    ? []
    : [
        {
          key: 'executor.passEnv',
          value: secret.env,
          rule: 'this is a secret of the worker, and no command may have it',
        },
      ];
}

/** Otherwise the executor could not be started, which looks as if Node were missing. */
function checkDirectory({ executor: { cwd } }: WorkerConfig): ConfigProblem[] {
  return cwd === undefined || statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true
    ? []
    : [{ key: 'executor.cwd', value: JSON.stringify(cwd), rule: 'there is no such directory' }];
}

function defaultId(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100);
  return `${host === '' ? 'worker' : host}-${systemRandom.hex(ID_SUFFIX_BYTES)}`;
}
