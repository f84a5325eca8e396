import { spawnSync } from 'node:child_process';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';

import { type CertificateOptions, freePort, TestAuthority, type TestCertificate } from '@orchestrator/testing';

import type { Cluster, ClusterOptions } from './harness/cluster.js';
import { ROOT } from './harness/program.js';
import { TlsApi } from './harness/tls-api.js';
import { waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

const EXIT_WITHIN_MS = 10_000;
const JOB_WITHIN_MS = 15_000;
const REASSIGNED_WITHIN_MS = 3_000;
/** The files are looked at every 10 s. */
const NEW_CERTIFICATE_WITHIN_MS = 15_000;
const JOIN_TOKEN = 'join-token-of-the-test';
const TOKEN = `orc_${randomBytes(32).toString('base64url')}`;
const HASH = createHash('sha256').update(TOKEN).digest('hex');

let directory: string;
let authority: TestAuthority;

const file = (name: string): string => join(directory, name);

function write(name: string, { cert, key }: TestCertificate): void {
  writeFileSync(file(`${name}.pem`), cert);
  writeFileSync(file(`${name}.key`), key, { mode: 0o600 });
}

function forScheduler(over: Partial<CertificateOptions> = {}): TestCertificate {
  return authority.issue({ name: 'scheduler', alternatives: ['localhost', '127.0.0.1'], ...over });
}

/** What a worker presents: a certificate of this name, made when it is asked for. */
function workerArgs(id: string, from = authority): string[] {
  const name = from === authority ? id : `forged-${id}`;
  write(name, from.issue({ name: id }));
  return [
    `--tls-ca=${file('ca.pem')}`,
    `--tls-cert=${file(`${name}.pem`)}`,
    `--tls-key=${file(`${name}.key`)}`,
    `--join-token=${JOIN_TOKEN}`,
  ];
}

function options(over: ClusterOptions = {}): ClusterOptions {
  return {
    schedulerArgs: [
      `--tls-cert=${file('scheduler.pem')}`,
      `--tls-key=${file('scheduler.key')}`,
      `--tls-ca=${file('ca.pem')}`,
      `--auth-join-token=${JOIN_TOKEN}`,
      `--auth-tokens=admin=admin:${HASH}`,
    ],
    api: (port) => new TlsApi(port, authority.cert, { authorization: `Bearer ${TOKEN}` }),
    workerArgs,
    ...over,
  };
}

/** Serial number of what a port presents. */
function serialOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.cert }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw).serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

const has = (cluster: Cluster, id: string, text: RegExp): Promise<unknown> =>
  waitUntil(`${id} says ${text.source}`, () => text.test(cluster.workerNamed(id).output), { withinMs: EXIT_WITHIN_MS });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'orchestrator-e2e-tls-'));
  authority = new TestAuthority();
  writeFileSync(file('ca.pem'), authority.cert);
  write('scheduler', forScheduler());
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('TLS and mTLS between programs', () => {
  it('runs jobs with mTLS, join token and API token, output included', () =>
    withCluster(options({ workers: ['worker-1', 'worker-2'] }), async (cluster) => {
      const jobs = await Promise.all(
        Array.from({ length: 10 }, (_, i) => cluster.api.submit({ command: `echo line ${i}; sleep 0.2` })),
      );
      for (const [i, { id }] of jobs.entries()) {
        expect(await cluster.api.finalJob(id, JOB_WITHIN_MS)).toMatchObject({ state: 'succeeded' });
        expect(await cluster.api.logs(id)).toContain(`line ${i}`);
      }
      const withoutToken = new TlsApi(cluster.httpPort, authority.cert);
      expect((await withoutToken.request('GET', '/api/v1/jobs')).status).toBe(401);
      await expect(fetch(`http://127.0.0.1:${cluster.httpPort}/healthz`)).rejects.toThrow('fetch failed');
    }));

  it("ends workers with 3 whose certificate is another's or not of this authority; the others go on", () =>
    withCluster(options({ workers: ['worker-1'] }), async (cluster) => {
      const { id } = await cluster.api.submit({ command: 'sleep 3' });
      const impostor = cluster.launchWorker('worker-2', { args: workerArgs('worker-3') });
      const thief = cluster.launchWorker('worker-4', { args: workerArgs('worker-4', new TestAuthority('another')) });
      const naked = cluster.launch('worker-5', 'apps/worker/dist/main.js', [
        '--id=worker-5',
        `--schedulers=127.0.0.1:${cluster.grpcPort}`,
        `--tls-ca=${file('ca.pem')}`,
        `--join-token=${JOIN_TOKEN}`,
      ]);

      for (const [worker, reason] of [
        [impostor, /certificate is for worker-3, not for worker \\"worker-2\\"/],
        [thief, /not signed by the authority/],
        [naked, /none was presented/],
      ] as const) {
        expect(await worker.ended(EXIT_WITHIN_MS)).toEqual({ code: 3, signal: null });
        expect(worker.output).toMatch(reason);
      }
      expect((await cluster.api.workers()).map((each) => each.id)).toEqual(['worker-1']);
      expect(cluster.scheduler.output).toMatch(/a worker was refused/);
      expect(await cluster.api.finalJob(id, JOB_WITHIN_MS)).toMatchObject({ state: 'succeeded', worker: 'worker-1' });
    }));

  it('gives a replaced certificate to new connections, and those that are open live on', () =>
    withCluster(options({ workers: ['worker-1'] }), async (cluster) => {
      const { id } = await cluster.api.submit({ command: 'sleep 12; echo done' });
      const next = forScheduler();
      const { serialNumber } = new X509Certificate(next.cert);
      write('scheduler', next);

      for (const port of [cluster.httpPort, cluster.grpcPort]) {
        await waitUntil('the new certificate', async () => (await serialOf(port)) === serialNumber, {
          withinMs: NEW_CERTIFICATE_WITHIN_MS,
        });
      }
      await cluster.startWorker('worker-2');
      const job = await cluster.api.finalJob(id, JOB_WITHIN_MS);

      expect(job).toMatchObject({ state: 'succeeded', worker: 'worker-1', attempt: 1 });
      expect(cluster.workerNamed('worker-1').output).not.toMatch(/no link to a scheduler/);
    }));

  it('sends the last will of a killed worker over TLS: its job runs elsewhere within 3 s', () =>
    withCluster(options({ workers: ['worker-1'] }), async (cluster) => {
      const { id } = await cluster.api.submit({ command: 'test $ORCHESTRATOR_ATTEMPT = 2 || sleep 60' });
      await cluster.api.jobWhen(id, 'running', ({ state }) => state === 'running', JOB_WITHIN_MS);
      await cluster.startWorker('worker-2');
      const killedMs = performance.now();
      cluster.workerNamed('worker-1').signal('SIGKILL');

      await cluster.api.jobWhen(id, 'at worker-2', ({ worker }) => worker === 'worker-2', JOB_WITHIN_MS);
      expect(performance.now() - killedMs).toBeLessThan(REASSIGNED_WITHIN_MS);
      expect(cluster.scheduler.output).toMatch(/a session is gone/);
    }));

  it.each([
    ['that speaks plain text, when it speaks TLS', [], /if the scheduler speaks TLS, this worker needs tls\.ca/],
    ['that does not trust its authority', ['other.pem'], /not signed by the authority in tls\.ca/],
  ])('keeps a worker trying %s, and names what is wrong', (_, [ca], reason) =>
    withCluster(options(), async (cluster) => {
      writeFileSync(file('other.pem'), new TestAuthority('another').cert);
      const args = ca === undefined ? [] : [`--tls-ca=${file(ca)}`];
      cluster.launch('lost', 'apps/worker/dist/main.js', [
        '--id=lost',
        `--schedulers=127.0.0.1:${cluster.grpcPort}`,
        ...args,
      ]);

      await has(cluster, 'lost', reason);
      expect(cluster.workerNamed('lost').exit).toBeUndefined();
    }),
  );

  it('keeps a worker that speaks TLS trying at a scheduler that does not, and names it', () =>
    withCluster({}, async (cluster) => {
      cluster.launchWorker('lost', { args: workerArgs('lost') });

      await has(cluster, 'lost', /the scheduler does not speak TLS/);
      expect(cluster.workerNamed('lost').exit).toBeUndefined();
    }));

  it('keeps a worker trying while the certificate of its scheduler is void or for another host', async () => {
    const yesterday = new Date(Date.now() - 86_400_000);
    write('scheduler', forScheduler({ notBefore: new Date(0), notAfter: yesterday }));
    await withCluster(
      // Nobody trusts it: the test itself asks over TLS without looking.
      options({ api: (port) => new UntrustingApi(port) }),
      async (cluster) => {
        cluster.launchWorker('worker-1');
        await has(cluster, 'worker-1', /the certificate of the scheduler has expired/);
        expect(cluster.scheduler.output).toMatch(/has expired: clients and workers will refuse it/);

        write('scheduler', forScheduler({ alternatives: ['elsewhere'] }));
        await waitUntil(
          'it is told of the other names',
          () => /for other names than the address/.test(cluster.workerNamed('worker-1').output),
          { withinMs: 30_000 },
        );
        write('scheduler', forScheduler());
        await waitUntil('it has come', async () => (await cluster.api.workers()).length === 1, { withinMs: 30_000 });
        expect(cluster.workerNamed('worker-1').exit).toBeUndefined();
      },
    );
  });

  it.each([
    ['a key that is not the certificate’s', () => write('scheduler', { ...forScheduler(), key: forScheduler().key })],
    ['a certificate that is not there', () => rmSync(file('scheduler.pem'))],
  ])('ends a scheduler and a worker with 2 that are given %s', async (_, spoil) => {
    spoil();
    await withCluster({}, async (cluster) => {
      const tls = [`--tls-cert=${file('scheduler.pem')}`, `--tls-key=${file('scheduler.key')}`];
      const programs = [
        cluster.launch('scheduler', 'apps/scheduler/dist/main.js', ['--http-port=0', '--grpc-port=0', ...tls]),
        cluster.launch('worker', 'apps/worker/dist/main.js', [...tls, `--tls-ca=${file('ca.pem')}`]),
      ];
      for (const program of programs) {
        expect(await program.ended(EXIT_WITHIN_MS)).toEqual({ code: 2, signal: null });
        expect(program.output).toMatch(/tls\.(key|cert) is ".*scheduler\.(key|pem)": .*(not the key|no such file)/);
        expect(program.output).not.toContain('PRIVATE KEY');
      }
    });
  });
});

/** The lines of the first block of docs/tls.md, as words of a shell. */
function documented(): string[][] {
  const [, block = ''] = /```sh\n(.*?)```/s.exec(readFileSync(join(ROOT, 'docs/tls.md'), 'utf8')) ?? [];
  return block
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map((word) => word.replaceAll("'", '')));
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

describe('docs/tls.md', () => {
  // The script of docker/local-ca needs it; so does nothing else here.
  (hasOpenssl ? it : it.skip)('shows how to try it out, line by line', () =>
    withCluster({}, async (cluster) => {
      const [make = [], scheduler = [], worker = [], curl = []] = documented();
      const [script = '', ...names] = make;
      const made = spawnSync(join(ROOT, script), names, { cwd: cluster.folder, encoding: 'utf8' });
      expect({ status: made.status, stderr: made.stderr }).toMatchObject({ status: 0 });
      const [http, grpc] = [await freePort(), await freePort()];
      cluster.launch('documented scheduler', scheduler[1] ?? '', [
        ...scheduler.slice(2),
        ...[
          `--redis-url=${cluster.redis.url}`,
          `--redis-prefix=documented`,
          `--http-port=${http}`,
          `--grpc-port=${grpc}`,
        ],
      ]);
      cluster.launch(
        'documented worker',
        worker[1] ?? '',
        worker.slice(2).map((word) => word.replace('50051', String(grpc))),
      );

      await waitUntil(
        'the worker is shown',
        () => {
          const words = curl.slice(1).map((word) => word.replace('8080', String(http)));
          return spawnSync('curl', ['--silent', ...words], { cwd: cluster.folder, encoding: 'utf8' }).stdout.includes(
            '"worker-1"',
          );
        },
        { withinMs: 30_000 },
      );
    }),
  );
});

class UntrustingApi extends TlsApi {
  constructor(port: number) {
    super(port, '', { authorization: `Bearer ${TOKEN}` });
  }

  protected override get trust(): object {
    return { rejectUnauthorized: false };
  }
}
