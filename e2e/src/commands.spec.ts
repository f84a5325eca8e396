import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

import { freePort, redisServerProgram } from '@orchestrator/testing';

import { Api } from './harness/api.js';
import { processesWith } from './harness/processes.js';
import { Program } from './harness/program.js';
import { letPass, waitUntil } from './harness/wait.js';

const READY_WITHIN_MS = 60_000;
const TWICE_WITHIN_MS = 50;

/** npm start and npm run demo with data of their own: every process that they start can be told by it. */
class Command {
  readonly #folder = mkdtempSync(join(tmpdir(), 'orchestrator-start-'));
  readonly #programs: Program[] = [];

  get mark(): string {
    return `ORCHESTRATOR_STATE_DIRECTORY=${this.#folder}`;
  }

  run(file: string, args: string[] = []): Program {
    const program = new Program({
      name: file,
      file,
      args,
      env: { ORCHESTRATOR_STATE_DIRECTORY: this.#folder, PATH: pathWithRedis() },
    });
    this.#programs.push(program);
    return program;
  }

  async start(http: number, grpc: number): Promise<Program> {
    const program = this.run('tools/start.mjs', ['--http-port', String(http), '--grpc-port', String(grpc)]);
    await waitUntil('npm start is ready', () => /^ready: /m.test(program.output) || program.exit !== undefined, {
      withinMs: READY_WITHIN_MS,
    });
    if (program.exit !== undefined) {
      throw new Error(`npm start ended with ${JSON.stringify(program.exit)}:\n${program.tail()}`);
    }
    return program;
  }

  async nothingIsLeft(withinMs: number): Promise<void> {
    await waitUntil(`no process of npm start is left`, () => processesWith(this.mark).length === 0, { withinMs });
  }

  async clear(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    await this.nothingIsLeft(20_000);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Where `npm test` fetched a redis-server it is on no PATH. */
function pathWithRedis(): string {
  const program = redisServerProgram();
  return isAbsolute(program) ? `${process.env['PATH'] ?? ''}:${dirname(program)}` : (process.env['PATH'] ?? '');
}

describe('npm start', () => {
  let command: Command;

  beforeEach(() => {
    command = new Command();
  });
  afterEach(() => command.clear());

  it('starts a scheduler and three workers, runs a job, and leaves nothing behind after one Ctrl-C that came twice', async () => {
    const [http, grpc] = [await freePort(), await freePort()];
    const program = await command.start(http, grpc);
    const api = new Api(`http://localhost:${http}`);
    const { id } = await api.submit({ command: 'sleep 2; echo drained' });
    await api.jobWhen(id, 'running', (job) => job.state === 'running', 10_000);

    program.signal('SIGINT');
    await letPass(TWICE_WITHIN_MS);
    program.signal('SIGINT');
    const exit = await program.ended();

    expect(exit).toEqual({ code: 0, signal: null });
    expect(program.output).toContain('worker-3');
    await command.nothingIsLeft(2_000);

    const again = await command.start(http, grpc);
    expect(await api.job(id)).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(await api.logs(id)).toBe('drained\n');
    again.signal('SIGTERM');
    expect(await again.ended()).toEqual({ code: 0, signal: null });
  });

  it('comes up again on its data after a SIGKILL, and refuses to run twice', async () => {
    const [http, grpc] = [await freePort(), await freePort()];
    const program = await command.start(http, grpc);
    const { id } = await new Api(`http://localhost:${http}`).submit({ command: 'echo kept' });
    await new Api(`http://localhost:${http}`).finalJob(id, 10_000);

    const second = command.run('tools/start.mjs', ['--http-port', '0', '--grpc-port', '0']);
    expect(await second.ended()).toMatchObject({ code: 1 });
    expect(second.output).toContain(String(program.pid));

    await program.kill();
    await command.start(await freePort(), await freePort()).then(async (again) => {
      const port = /ready: http:\/\/localhost:(\d+)/.exec(again.output)?.[1];
      expect(await new Api(`http://localhost:${port}`).job(id)).toMatchObject({ state: 'succeeded' });
    });
  });

  it('says which worker died', async () => {
    const program = await command.start(await freePort(), await freePort());
    const pid = Number(/worker-2 \(pid (\d+)\)/.exec(program.output)?.[1]);

    process.kill(pid, 'SIGKILL');

    await waitUntil('it is said', () => program.output.includes(`worker-2 (pid ${pid}) ended: SIGKILL`), {
      withinMs: 5_000,
    });
  });
});

describe('npm run demo', () => {
  it('ends with 0 after 100 jobs, one worker of which was killed', async () => {
    const command = new Command();
    try {
      const demo = command.run('tools/demo.mjs');
      const exit = await demo.ended(110_000);

      if (exit.code !== 0) {
        throw new Error(`npm run demo ended with ${exit.code}:\n${demo.tail()}`);
      }
      expect(demo.output).toContain('100 of 100 jobs succeeded');
    } finally {
      await command.clear();
    }
  });
});
