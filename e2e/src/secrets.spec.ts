import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort, startRedis, TestAuthority, type TestRedis } from '@orchestrator/testing';

import { Api } from './harness/api.js';
import { type Exit, Program } from './harness/program.js';
import { waitUntil } from './harness/wait.js';
import { type App, commandLines, environments, Plants, secretFlags } from './secrets/plants.js';

const STARTED_WITHIN_MS = 30_000;
const TOLD_WITHIN_MS = 15_000;

type Flags = Record<string, string>;

/** Real programs with a secret in every place that takes one. */
class Garden {
  readonly plants = new Plants();
  readonly folder = mkdtempSync(join(tmpdir(), 'orchestrator-secrets-'));
  readonly #programs: Program[] = [];
  readonly #authority = new TestAuthority();
  readonly #admin: ReturnType<TestRedis['client']>;

  constructor(readonly redis: TestRedis) {
    this.#admin = redis.client();
  }

  /** Nobody gets in without a password. */
  async lockRedis(): Promise<void> {
    await this.#admin.config('SET', 'requirepass', this.plants.secret('requirepass'));
  }

  /** A certificate and its key, as files. */
  issue(name: string, alternatives: readonly string[] = []): Flags {
    const { cert, key } = this.#authority.issue({ name, alternatives });
    writeFileSync(this.path(`${name}.pem`), cert);
    writeFileSync(this.path(`${name}.key`), key, { mode: 0o600 });
    writeFileSync(this.path('ca.pem'), this.#authority.cert);
    this.plants.plant(`key of ${name}`, key.split('\n')[1] ?? '');
    return {
      '--tls-ca': this.path('ca.pem'),
      '--tls-cert': this.path(`${name}.pem`),
      '--tls-key': this.path(`${name}.key`),
    };
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** As `redis://user:password@host:port`; the user exists with that password and may do everything. */
  async redisUrl(place: string): Promise<string> {
    const user = place.replaceAll(' ', '-');
    await this.#admin.call('ACL', 'SETUSER', user, 'on', `>${this.plants.secret(place)}`, '~*', '&*', '+@all');
    return `redis://${user}:${this.plants.secret(place)}@127.0.0.1:${this.redis.port}`;
  }

  launch(name: string, app: App, flags: Flags, env: Record<string, string> = {}): Program {
    const args = Object.entries({ '--log-level': 'debug', ...flags }).map(([flag, value]) => `${flag}=${value}`);
    return this.run(name, app, args, flags, env);
  }

  /** Without flags of ours. */
  run(name: string, app: App, args: string[], given: Flags = {}, env: Record<string, string> = {}): Program {
    this.plants.given(app, { ...given, ...flagsOf(env) });
    const program = new Program({ name, file: `apps/${app}/dist/main.js`, args, env, cwd: this.folder });
    this.#programs.push(program);
    return program;
  }

  async answerOf(name: string, app: App, args: string[], given: Flags = {}): Promise<{ exit: Exit; text: string }> {
    const program = this.run(name, app, args, given);
    const exit = await program.ended();
    this.plants.look(name, program.output);
    return { exit, text: program.output };
  }

  get pids(): number[] {
    return this.#programs.map(({ pid }) => pid);
  }

  async stop(): Promise<void> {
    this.#programs.forEach((program) => program.signal('SIGTERM'));
    await Promise.all(this.#programs.map((program) => program.ended().catch(() => program.kill())));
    this.#programs.splice(0).forEach((program) => this.plants.look(`the log of ${program.name}`, program.output));
  }
}

function flagsOf(env: Record<string, string>): Flags {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      `--${name.replace('ORCHESTRATOR_', '').toLowerCase().replaceAll('_', '-')}`,
      value,
    ]),
  );
}

describe('secrets', () => {
  let garden: Garden;
  let plants: Plants;
  let http: number;
  let grpc: number;
  let grpcTls: number;

  const says = (program: Program, text: string): Promise<boolean> =>
    waitUntil(`${program.name} says "${text}"`, () => program.output.includes(text), { withinMs: TOLD_WITHIN_MS });

  beforeAll(async () => {
    garden = new Garden(await startRedis());
    plants = garden.plants;
    [http, grpc, grpcTls] = [await freePort(), await freePort(), await freePort()];
    await garden.lockRedis();
  });
  afterAll(async () => {
    await garden.stop();
    await garden.redis.stop();
    rmSync(garden.folder, { recursive: true });
  });

  it('are where they were planted and nowhere else, whatever goes right or wrong', async () => {
    // Who may call: three join tokens by file, presented by flag, environment and file; API tokens, known by hash.
    const joinTokens = ['join token by flag', 'join token by environment', 'join token by file'];
    const joinTokenFile = plants.file(garden.path('join-tokens'), ...joinTokens);
    const admin = `orc_${plants.secret('API token').padEnd(43, 'x').slice(0, 43)}`;
    const hash = plants.plant('hash of the API token', createHash('sha256').update(admin).digest('hex'));
    const tokensFile = garden.path('tokens.yaml');
    const otherHash = createHash('sha256').update('another').digest('hex');
    writeFileSync(tokensFile, `other: viewer:${plants.plant('hash in a file', otherHash)}\n`, { mode: 0o600 });
    const auditFile = garden.path('audit.log');
    const first = garden.launch('scheduler 1', 'scheduler', {
      '--redis-url': await garden.redisUrl('redis password by flag'),
      '--lock-nodes': await garden.redisUrl('lock password by flag'),
      '--auth-join-token-file': joinTokenFile,
      '--auth-tokens': `ci=admin:${hash}`,
      '--audit-file': auditFile,
      '--http-port': String(http),
      '--grpc-port': String(grpc),
    });
    await garden.redisUrl('redis password by file');
    const second = garden.launch(
      'scheduler 2',
      'scheduler',
      {
        '--redis-url': `redis://redis-password-by-file@127.0.0.1:${garden.redis.port}`,
        '--auth-tokens-file': tokensFile,
        ...garden.issue('scheduler', ['127.0.0.1']),
        '--redis-password-file': plants.file(garden.path('redis-password'), 'redis password by file'),
        '--http-port': '0',
        '--grpc-port': String(grpcTls),
      },
      { ORCHESTRATOR_AUTH_JOIN_TOKEN: plants.secret('auth.joinToken by environment') },
    );
    const third = garden.launch(
      'scheduler 3',
      'scheduler',
      { '--auth-join-token': plants.secret('auth.joinToken by flag'), '--http-port': '0', '--grpc-port': '0' },
      { ORCHESTRATOR_REDIS_URL: await garden.redisUrl('redis password by environment') },
    );
    const api = new Api(`http://127.0.0.1:${http}`, { authorization: `Bearer ${admin}` });
    const isReady = async (): Promise<boolean> => (await api.request('GET', '/readyz')).status === 200;
    await waitUntil('scheduler 1 is ready', isReady, { withinMs: STARTED_WITHIN_MS });
    await Promise.all([second, third].map((scheduler) => says(scheduler, 'Redis is reachable')));

    const link = { '--schedulers': `127.0.0.1:${grpc}`, '--slots': '2' };
    garden.launch('worker 1', 'worker', {
      ...link,
      '--id': 'w-1',
      '--join-token': plants.secret('join token by flag'),
    });
    garden.launch(
      'worker 2',
      'worker',
      { ...link, '--id': 'w-2' },
      { ORCHESTRATOR_JOIN_TOKEN: plants.secret('join token by environment') },
    );
    garden.launch('worker 3', 'worker', {
      ...link,
      '--id': 'w-3',
      '--join-token-file': plants.file(garden.path('join-token'), 'join token by file'),
    });
    garden.launch('worker over TLS', 'worker', {
      '--schedulers': `127.0.0.1:${grpcTls}`,
      '--id': 'w-tls',
      '--join-token-file': plants.file(garden.path('tls-join-token'), 'auth.joinToken by environment'),
      ...garden.issue('w-tls'),
    });
    await waitUntil('four workers are alive', async () => (await api.workers()).length === 4, {
      withinMs: STARTED_WITHIN_MS,
    });

    // What goes wrong.
    const wrongRedis = garden.launch('scheduler with a wrong password', 'scheduler', {
      '--redis-url': `redis://:${plants.secret('wrong redis password')}@127.0.0.1:${garden.redis.port}`,
      '--http-port': '0',
      '--grpc-port': '0',
    });
    const sentinels = garden.launch('scheduler without its Sentinels', 'scheduler', {
      '--redis-sentinels': `redis://:${plants.secret('Sentinel password')}@127.0.0.1:1`,
      '--redis-name': `redis://:${plants.secret('master password')}@mymaster`,
      '--http-port': '0',
      '--grpc-port': '0',
    });
    const intruder = garden.launch('intruder', 'worker', {
      ...link,
      '--id': 'w-4',
      '--join-token': plants.secret('wrong join token'),
    });
    expect(await intruder.ended()).toEqual({ code: 3, signal: null });
    await says(wrongRedis, 'WRONGPASS');
    await says(sentinels, 'All sentinels are unreachable');

    // Jobs: one that holds secrets while others look around.
    const holder = await api.submit({
      command: 'cat > /dev/null; sleep 30',
      env: { PASSWORD: plants.secret('env of another job') },
      stdin: plants.secret('stdin of another job'),
    });
    await api.jobWhen(holder.id, 'running', (job) => job.state === 'running', TOLD_WITHIN_MS);
    const looks = 'env; tr "\\0" "\\n" < /proc/$PPID/environ; tr "\\0" " " < /proc/$PPID/cmdline; exec sleep 20';
    const looking = await Promise.all([1, 2, 3].map(() => api.submit({ command: looks })));
    await Promise.all(
      looking.map(({ id }) =>
        waitUntil('it has looked', async () => (await api.logs(id)).includes('ORCHESTRATOR_MARK'), {
          withinMs: TOLD_WITHIN_MS,
        }),
      ),
    );
    const holderPids = pidsWith(plants.secret('env of another job'));
    const holders = commandLines()
      .split('\n')
      .filter((line) => holderPids.includes(Number(line.split(' ')[0])));
    expect(holders.join('\n')).not.toMatch(/executor-main|apps\/worker/);
    // The search does find what is there: the worker was given this one.
    expect(environments([])).toContain(plants.secret('join token by environment'));
    plants.look('ps', commandLines());
    plants.look('/proc/*/environ', environments([...garden.pids, ...holderPids]));

    // What the API answers, also to those whom it refuses.
    const guess = plants.secret('wrong API token');
    const asked: [string, string, unknown?, Record<string, string>?][] = [
      ['GET', '/readyz'],
      ['GET', '/healthz'],
      ['GET', '/metrics'],
      ['GET', '/api/v1/jobs'],
      ['GET', '/api/v1/workers'],
      ['GET', `/api/v1/jobs/${holder.id}`],
      ...looking.map(({ id }): [string, string] => ['GET', `/api/v1/jobs/${id}/logs`]),
      ['GET', '/api/v1/jobs', undefined, { authorization: `Bearer ${guess}` }],
      ['POST', '/api/v1/jobs', { name: 'x', command: 'true' }, { authorization: `Basic ${guess}` }],
      ['GET', `/api/v1/jobs?token=${plants.secret('API token in a query string')}`],
      ['POST', '/api/v1/jobs', { name: 'x', command: 7, env: { A: plants.secret('env of a refused job') } }],
      [
        'POST',
        '/api/v1/jobs',
        { name: 'x', command: 'true', env: { A: [plants.secret('wrong env of a refused job')] } },
      ],
    ];
    for (const [method, path, body, headers] of asked) {
      const { text, headers: answered } = await api.request(method, path, body, { headers: headers ?? {} });
      const shown = path.split('?')[0];
      // An address that cannot be right may be told to who has sent it.
      plants.look(
        `the answer to ${method} ${shown}`,
        `${path.includes('?token') ? '' : text}${JSON.stringify([...answered])}`,
      );
    }

    // What the programs say of their configuration.
    const url = 'redis://127.0.0.1:6379';
    for (const [app, flags] of [
      [
        'scheduler',
        {
          '--auth-join-token': plants.secret('printed join token'),
          '--redis-url': url.replace('//', `//:${plants.secret('printed password')}@`),
        },
      ],
      ['worker', { '--join-token': plants.secret('printed token of a worker') }],
    ] as [App, Flags][]) {
      const args = Object.entries(flags).map(([flag, value]) => `${flag}=${value}`);
      const printed = await garden.answerOf(`${app} --print-config`, app, [...args, '--print-config'], flags);
      expect(printed.text).toContain('[redacted]');
    }
    await garden.stop();
    plants.look('the audit log', readFileSync(auditFile, 'utf8'));

    expect(plants.found()).toEqual([]);
    expect(plants.looked).toEqual(
      expect.arrayContaining(['ps', 'the log of scheduler 1', 'the log of worker 3', 'the audit log']),
    );
    expect(first.output).toContain('a secret was given as --redis-url');
    const audited = await garden.answerOf('scheduler --verify-audit', 'scheduler', ['--verify-audit', auditFile]);
    expect(audited).toMatchObject({ exit: { code: 0 }, text: expect.stringContaining('the chain is whole') });
    expect(readFileSync(auditFile, 'utf8')).toMatch(/"action":"job.submit","who":"ci".*\n/);
    expect(readFileSync(auditFile, 'utf8')).toMatch(
      /"action":"worker.join".*"from":"127.0.0.1","targets":\[\],"outcome":"refused"/,
    );
  });

  it.each<App>(['scheduler', 'worker'])('are not in what a %s says of a value that is wrong', async (app) => {
    const { text: help } = await garden.answerOf(`${app} --help`, app, ['--help']);
    const flags = secretFlags(help);
    expect(flags.length).toBeGreaterThan(1);
    for (const flag of flags) {
      const secret = plants.secret(`wrong ${flag} of the ${app}`);
      const file = garden.path(`wrong${flag}`);
      writeFileSync(file, `${secret} \u0001\n${secret} @\n`);
      const yaml = garden.path(`wrong${flag}.yaml`);
      writeFileSync(yaml, `${flag.split('-')[2]}: ["${secret}@"]\n`);
      const partner = flag === '--tls-key' ? [`--tls-cert=${file}`, `--tls-ca=${file}`] : [];
      const cases = /-(file|key)$/.test(flag)
        ? [[`${flag}=${file}`, ...partner]]
        : [
            [`${flag}=${secret} @ \u0001`],
            [`--config=${yaml}`],
            ...(/redis|lock/.test(flag)
              ? [[`${flag}=redis:/:${secret}@host`], [`${flag}=redis://:${secret}/x@host:port/#`]]
              : []),
          ];
      const given = await Promise.all(cases.map((args) => garden.answerOf(`${app} with a wrong ${flag}`, app, args)));
      expect(given.map(({ exit, text }) => (exit.code === 2 ? 2 : text))).toEqual(cases.map(() => 2));
    }

    expect(plants.found()).toEqual([]);
  });

  it('were planted for each setting that takes one, as --help tells', async () => {
    const [scheduler, worker] = await Promise.all(
      (['scheduler', 'worker'] as const).map((app) => garden.answerOf(`${app} --help`, app, ['--help'])),
    );
    const flags = [
      ...secretFlags(scheduler?.text ?? '').map((flag) => `scheduler ${flag}`),
      ...secretFlags(worker?.text ?? '').map((flag) => `worker ${flag}`),
    ].sort();

    expect(plants.flags).toEqual(expect.arrayContaining(flags));
    expect(flags).toEqual(
      expect.arrayContaining(['scheduler --redis-url', 'scheduler --auth-join-token', 'worker --join-token']),
    );
  });

  it('would be found: in the environment of who was given one, and in a log that does not mask', () => {
    const control = new Plants();
    control.look('a log', JSON.stringify({ heard: control.secret('a secret') }));
    control.look('an encoded one', Buffer.from(control.secret('another')).toString('base64'));

    expect(control.found()).toHaveLength(2);
    expect(control.found()[0]).toContain('a secret: in a log');
  });
});

/** Those who were given it: the guard of the command, and the command. */
function pidsWith(secret: string): number[] {
  return environments([])
    .split('\n')
    .filter((line) => line.includes(secret))
    .map((line) => Number(line.split(' ')[0]));
}
