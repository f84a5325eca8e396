import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  boolean,
  type ConfigAnswer,
  ConfigError,
  type ConfigOf,
  type ConfigProblem,
  duration,
  HOST_PORT_PATTERN,
  integer,
  list,
  loadConfig,
  type LoadedConfig,
  map,
  oneOf,
  optionalText,
  port,
  redisUrl,
  text,
} from './index.js';

const schema = {
  id: optionalText({ doc: 'Who it is.', default: undefined }),
  slots: integer({ doc: 'How many at once.', default: 2, min: 1, max: 1_000 }),
  http: {
    port: port({ doc: 'Where it listens.', default: 8080 }),
    allowedHosts: list({ doc: 'More names.', default: [] }),
  },
  schedulers: list({
    doc: 'Where to.',
    default: ['a:1'],
    pattern: HOST_PORT_PATTERN,
    expects: 'host:port',
    atLeastOne: true,
  }),
  labels: map({ doc: 'What it has.', default: {} }),
  drainTimeout: duration({ doc: 'How long.', default: 30_000 }),
  verbose: boolean({ doc: 'More.', default: false }),
  mode: oneOf(['tokens', 'none'], { doc: 'How.', default: 'tokens' }),
  joinToken: optionalText({ doc: 'A secret.', default: undefined, sensitive: true }),
  redis: {
    url: redisUrl({ doc: 'Where Redis is.', default: 'redis://127.0.0.1:6379' }),
    prefix: text({ doc: 'Of keys.', default: 'orc', pattern: /^[a-z]+$/ }),
  },
};

interface Given {
  argv?: string[];
  env?: Record<string, string>;
  file?: string;
  crossCheck?(config: ConfigOf<typeof schema>, given: ReadonlySet<string>): ConfigProblem[];
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'orchestrator-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function load({ argv = [], env = {}, file, crossCheck }: Given): LoadedConfig<ConfigOf<typeof schema>> | ConfigAnswer {
  const path = join(directory, 'c.yaml');
  if (file !== undefined) {
    writeFileSync(path, file);
  }
  return loadConfig({
    program: 'program',
    schema,
    argv: file === undefined ? argv : ['--config', path, ...argv],
    env,
    knownEnv: ['ORCHESTRATOR_REDIS_SERVER'],
    ...(crossCheck ? { crossCheck } : {}),
  });
}

function run(given: Given): LoadedConfig<ConfigOf<typeof schema>> {
  const loaded = load(given);
  if (loaded.outcome !== 'run') {
    throw new Error(`an answer: ${loaded.text}`);
  }
  return loaded;
}

function answer(given: Given): string {
  const loaded = load(given);
  return loaded.outcome === 'answer' ? loaded.text : '';
}

function problemsOf(given: Given): readonly ConfigProblem[] {
  try {
    load(given);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
}

describe('loadConfig', () => {
  it('answers the defaults, frozen', () => {
    const { config, warnings } = run({});

    expect(config.http).toEqual({ port: 8080, allowedHosts: [] });
    expect(config.id).toBeUndefined();
    expect(warnings).toEqual([]);
    expect(() => Object.assign(config.http, { port: 1 })).toThrow(TypeError);
  });

  it('prefers flags over the environment over the file over defaults', () => {
    const file = 'http:\n  port: 1\nslots: 11\nredis: {prefix: file}\n';
    const env = { ORCHESTRATOR_HTTP_PORT: '2', ORCHESTRATOR_SLOTS: '12' };

    const { config } = run({ file, env, argv: ['--http-port=3'] });

    expect([config.http.port, config.slots, config.redis.prefix, config.drainTimeout]).toEqual([3, 12, 'file', 30_000]);
  });

  it('reads every kind of value from all three places alike', () => {
    const file = [
      'http: {allowedHosts: [a, b]}',
      'labels: {gpu: a100, zone.x: eu}',
      'drainTimeout: 1.5',
      'verbose: true',
      'schedulers: ["h:1", "[::1]:2"]',
    ].join('\n');
    const env = {
      ORCHESTRATOR_HTTP_ALLOWED_HOSTS: 'a, b',
      ORCHESTRATOR_LABELS: 'gpu=a100,zone.x=eu',
      ORCHESTRATOR_DRAIN_TIMEOUT: '1500ms',
      ORCHESTRATOR_VERBOSE: '1',
      ORCHESTRATOR_SCHEDULERS: 'h:1,[::1]:2',
    };
    const argv = Object.entries(env).flatMap(([name, value]) => [
      `--${name.slice('ORCHESTRATOR_'.length).toLowerCase().replaceAll('_', '-')}`,
      value,
    ]);

    const fromFile = run({ file }).config;

    expect(fromFile.labels).toEqual({ gpu: 'a100', 'zone.x': 'eu' });
    expect(fromFile.drainTimeout).toBe(1_500);
    expect(run({ env }).config).toEqual(fromFile);
    expect(run({ argv }).config).toEqual(fromFile);
  });

  it.each([
    ['slots', '15s'],
    ['slots', '1e3'],
    ['slots', '3.9'],
    ['slots', ''],
    ['slots', '0'],
    ['http.port', '8080x'],
    ['http.port', '65536'],
    ['drainTimeout', '5 parsecs'],
    ['drainTimeout', '-1'],
    ['verbose', 'no'],
    ['verbose', ''],
    ['mode', 'None'],
    ['schedulers', 'nowhere'],
    ['schedulers', 'h:65536'],
    ['schedulers', 'h:0'],
    ['schedulers', ''],
    ['http.allowedHosts', 'a,,b'],
    ['labels', 'a'],
    ['redis.url', 'http://x'],
    ['redis.url', 'redis://'],
    ['redis.prefix', 'a:b'],
    ['id', ''],
  ])('refuses %s = "%s" with key, value and rule', (key, value) => {
    const name = `ORCHESTRATOR_${key.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase()}`;

    const problems = problemsOf({ env: { [name]: value } });

    expect(problems).toEqual([
      { key, value: JSON.stringify(value), rule: expect.stringMatching(/^expected /) as string },
    ]);
  });

  it('refuses values of another type in the file', () => {
    const problems = problemsOf({ file: 'id: 5\nslots: "two"\nverbose: 3\nhttp: []\nlabels: {a: 1}\n' });

    expect(problems.map((problem) => problem.key).sort()).toEqual(['http', 'id', 'labels', 'slots', 'verbose']);
  });

  it('refuses unknown keys and flags with a suggestion, and tells all problems at once', () => {
    const file = 'http: {prot: 1}\nnothing: 1\n__proto__: 2\n';

    const problems = problemsOf({ file, argv: ['--htpp-port', '1', '--slots', '--verbose', 'x'] });

    expect(problems).toMatchObject([
      { key: '--htpp-port', rule: expect.stringContaining('did you mean --http-port?') as string },
      { key: '--slots', rule: 'needs a value' },
      { key: 'http.prot', rule: expect.stringContaining('did you mean http.port?') as string },
      { key: 'nothing' },
      { key: '__proto__' },
      { key: 'verbose' },
    ]);
  });

  it('suggests nothing that is only as short', () => {
    expect(problemsOf({ argv: ['--foo', '1'] })).toEqual([
      { key: '--foo', rule: 'there is no such flag; --help lists them' },
    ]);
  });

  it('refuses a missing file, a broken one and one that is no map', () => {
    expect(problemsOf({ argv: ['--config', '/nowhere/x.yaml'] })).toMatchObject([
      { key: '--config', rule: 'there is no such file' },
    ]);
    expect(problemsOf({ file: 'a: 1\nb: [1' })).toMatchObject([
      { key: '--config', rule: expect.stringContaining('is not YAML: ') as string },
    ]);
    expect(problemsOf({ file: '- 1' })).toHaveLength(1);
    expect(problemsOf({ file: '# nothing\n' })).toEqual([]);
  });

  it('warns of unknown variables with our prefix, but for those of the tools', () => {
    const { warnings } = run({ env: { ORCHESTRATOR_HTPP: '1', ORCHESTRATOR_REDIS_SERVER: 'x', PATH: 'y' } });

    expect(warnings).toEqual(['the environment variable ORCHESTRATOR_HTPP is not known and was ignored']);
  });

  it('refuses what breaks a rule over several keys', () => {
    const crossCheck = (config: ConfigOf<typeof schema>): ConfigProblem[] =>
      config.slots > config.http.port ? [{ key: 'slots', value: String(config.slots), rule: 'too many' }] : [];

    expect(problemsOf({ argv: ['--http-port', '1'], crossCheck })).toEqual([
      { key: 'slots', value: '2', rule: 'too many' },
    ]);
  });

  it('tells a rule over several keys which were said, also when they say the default', () => {
    const told: string[][] = [];
    const crossCheck = (_: unknown, given: ReadonlySet<string>): ConfigProblem[] => {
      told.push([...given].sort());
      return [];
    };

    run({ argv: ['--http-port', '8080'], env: { ORCHESTRATOR_SLOTS: '3' }, crossCheck });

    expect(told).toEqual([['http.port', 'slots']]);
  });

  it('never shows a secret, and hands the known ones to the logger', () => {
    const env = { ORCHESTRATOR_JOIN_TOKEN: 'hush', ORCHESTRATOR_REDIS_URL: 'redis://me:p%40ss@h:1' };

    const printed = answer({ env, argv: ['--print-config'] });

    expect(printed).not.toMatch(/hush|p%40ss|p@ss/);
    expect(printed).toContain('redis://[redacted]@h:1');
    expect(run({ env }).secrets).toEqual(['hush', 'p@ss']);
    expect(JSON.stringify(problemsOf({ env: { ORCHESTRATOR_REDIS_URL: 'redis://me:pw@h:x' } }))).not.toContain('pw');
    expect(JSON.stringify(problemsOf({ env: { ORCHESTRATOR_JOIN_TOKEN: 'hu\0sh' } }))).not.toContain('sh"');
  });

  it.each([
    ['joinToken: *hush'],
    ['joinToken: !hush'],
    ['joinToken: !hush!hush x'],
    ['joinToken: hush\n  hush: ['],
    ['redis: {url: {password: hush}}'],
    ['redis: {url: "redis://h:1/?password=hush"}'],
    ['redis: {url: hush}'],
  ])('does not show what may be a secret in a file that cannot be read: %s', (file) => {
    const problems = problemsOf({ file });

    expect(problems).toHaveLength(1);
    expect(JSON.stringify(problems)).not.toContain('hush');
  });

  it('does not show an argument that lost its flag', () => {
    expect(problemsOf({ argv: ['hush'] })).toEqual([
      { key: 'an argument', rule: expect.stringContaining('there is no such flag') as string },
    ]);
  });

  it('prints a configuration that can be read again', () => {
    const env = {
      ORCHESTRATOR_LABELS: 'a=b',
      ORCHESTRATOR_DRAIN_TIMEOUT: '90',
      ORCHESTRATOR_ID: 'me',
      ORCHESTRATOR_SLOTS: '7',
    };

    const printed = answer({ env, argv: ['--print-config'] });

    expect(printed).toContain('drainTimeout: 90s');
    expect(run({ file: printed }).config).toEqual(run({ env }).config);
  });

  it('lists every key with its sentence, variable, flag and default', () => {
    const help = answer({ argv: ['--help', '--nonsense'] });

    expect(help).toContain('--http-allowed-hosts <list>');
    expect(help).toContain('key http.allowedHosts, environment ORCHESTRATOR_HTTP_ALLOWED_HOSTS, default []');
    expect(help).toContain('Who it is.');
    expect(help).toContain('default 30s');
  });
});
