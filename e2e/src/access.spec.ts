import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '@orchestrator/testing';

import { Api } from './harness/api.js';
import { isFree } from './harness/ports.js';
import { Program } from './harness/program.js';
import { exampleLines, runLine } from './harness/readme.js';
import { waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

const SCHEDULER = 'apps/scheduler/dist/main.js';
/** The file is looked at every 10 s. */
const REVOKED_WITHIN_MS = 15_000;

interface Made {
  token: string;
  /** For the file. */
  line: string;
}

/** As docs/access.md says. */
async function newToken(role: string, name: string): Promise<Made> {
  const program = new Program({ name: 'new token', file: SCHEDULER, args: ['--new-token', role] });
  expect(await program.ended()).toEqual({ code: 0, signal: null });
  const [token = ''] = /orc_[\w-]{43}/.exec(program.output) ?? [];
  const [, entry = ''] = /: (\w+:[0-9a-f]{64})$/m.exec(program.output) ?? [];
  return { token, line: `${name}: ${entry}\n` };
}

const bearer = ({ token }: Made): Record<string, string> => ({ authorization: `Bearer ${token}` });

describe('tokens', () => {
  let folder: string;
  let file: string;
  let viewer: Made;
  let submitter: Made;
  let admin: Made;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'orchestrator-tokens-'));
    file = join(folder, 'tokens.yaml');
    [viewer, submitter, admin] = await Promise.all([
      newToken('viewer', 'reads'),
      newToken('submitter', 'ci'),
      newToken('admin', 'ops'),
    ]);
  });
  beforeEach(() => writeFileSync(file, viewer.line + submitter.line + admin.line));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('let those in who have one, each as far as its role goes, until the file says otherwise', async () => {
    const options = { schedulerArgs: [`--auth-tokens-file=${file}`], apiHeaders: bearer(admin), workers: ['worker-1'] };
    await withCluster(options, async ({ api, scheduler }) => {
      const as = (made: Made): Api => new Api(api.address, bearer(made));
      const nobody = new Api(api.address);

      const statuses = await Promise.all([
        nobody.request('GET', '/api/v1/jobs'),
        nobody.request('GET', '/readyz'),
        as(viewer).request('GET', '/api/v1/jobs'),
        as(viewer).request('POST', '/api/v1/jobs', { name: 'a', command: 'true' }),
        as(submitter).request('POST', '/api/v1/workers/worker-1/drain'),
      ]);
      expect(statuses.map(({ status }) => status)).toEqual([401, 200, 200, 403, 403]);
      const { id } = await as(submitter).submit({ command: 'true' });
      expect(await as(viewer).finalJob(id, 10_000)).toMatchObject({ state: 'succeeded', submittedBy: 'ci' });

      const next = join(folder, 'next.yaml');
      writeFileSync(next, viewer.line + admin.line);
      renameSync(next, file);
      await waitUntil(
        'the token is revoked',
        async () => (await as(submitter).request('GET', '/api/v1/jobs')).status === 401,
        { withinMs: REVOKED_WITHIN_MS },
      );
      expect((await as(viewer).request('GET', '/api/v1/jobs')).status).toBe(200);
      expect([viewer, submitter, admin].filter(({ token }) => scheduler.output.includes(token))).toEqual([]);
    });
  });

  it('work as docs/access.md shows, and not without', async () => {
    const port = (await isFree(8080)) ? 8080 : await freePort();
    const options = { schedulerArgs: [`--auth-tokens-file=${file}`], apiHeaders: bearer(admin), httpPort: port };
    await withCluster(options, async () => {
      const lines = exampleLines('docs/access.md');
      expect(lines.length).toBeGreaterThan(2);
      for (const line of lines) {
        const answer = await runLine(line, port, undefined, { TOKEN: submitter.token });
        expect({ line, answer }).not.toMatchObject({ answer: expect.stringContaining(':problem:') as string });
        const refused = JSON.parse(await runLine(line, port, undefined, { TOKEN: '' })) as unknown;
        expect({ line, refused }).toMatchObject({ refused: { type: 'urn:orchestrator:problem:unauthorized' } });
      }
    });
  });

  it.each([
    ['no file', (): string[] => ['--auth-tokens-file', join(folder, 'nowhere')], 'there is no such file'],
    ['a token for its hash', (): string[] => [`--auth-tokens=ci=admin:${admin.token}`], 'this is a token itself'],
    ['a contradiction', (): string[] => ['--auth-tokens-file', file, '--auth-mode=none'], 'auth.mode'],
    ['a command that does not stand alone', (): string[] => ['--http-port=0', '--new-token', 'admin'], '--new-token'],
    ['a role that is none', (): string[] => ['--new-token', 'root'], 'expected one of viewer, submitter, admin'],
  ])('end the start with 2 and a message without them: %s', async (_what, args, says) => {
    const program = new Program({ name: 'scheduler', file: SCHEDULER, args: args() });

    expect(await program.ended()).toEqual({ code: 2, signal: null });
    expect(program.output).toContain(says);
    expect(program.output).not.toContain(admin.token);
  });
});
