import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';

import { systemClock } from '@orchestrator/core';

import { readStat, listPids } from '../proc.js';
import type { CommandHelper } from './command-helper.js';
import { HelperPool } from './helper-pool.js';
import { type HelperProgram, PERL_HELPER } from './helper-programs.js';

const COMPILED = join(__dirname, `../../dist/native/${process.platform}-${process.arch}/command-helper`);
const itWhereCompiled = existsSync(COMPILED) ? it : it.skip;

const attempt = {
  attemptId: 'a.0',
  argv: ['sh', '-c', 'echo $PPID; exit 3'],
  env: { NAME: 'value' },
  timeoutMs: 0,
  killGraceMs: 0,
  maxOutputBytes: 1_000,
};

describe('HelperPool: what a helper is', () => {
  const said: string[] = [];
  let made: CommandHelper[] = [];
  afterEach(() => {
    made.forEach((helper) => helper.kill());
    made = [];
    said.length = 0;
  });

  const start = async (...programs: HelperProgram[]): Promise<CommandHelper | undefined> => {
    const pool = new HelperPool({
      clock: systemClock,
      use: 'always',
      programs,
      setup: { oomScore: '', baseEnvironment: { PATH: '/usr/bin:/bin' } },
      toMark: (number) => `test/helper-${number}`,
      kill: () => Promise.resolve(),
      log: (message) => said.push(message),
    });
    await pool.reserve(1);
    const helper = pool.take(attempt, '/');
    made.push(...(helper === undefined ? [] : [helper]));
    return helper;
  };

  const run = (helper: CommandHelper): Promise<{ output: string; code: number | null }> =>
    new Promise((resolve, reject) => {
      let output = '';
      const request = { attempt, mark: 'test/a.0', cwd: '/', cgroup: undefined };
      const { outputs } = helper.start(request, undefined, performance.now(), {
        onData: (_stream, chunk) => (output += chunk.toString()),
        onStarted: () => undefined,
        onFailed: reject,
        // Of one that lived longer than others the output comes by its pipes.
        onExit: ({ code }) =>
          void Promise.all(outputs.map((pipe) => finished(pipe))).then(() => resolve({ output, code })),
        onLost: (detail) => reject(new Error(detail)),
      });
    });

  itWhereCompiled('is the compiled program, where there is one', async () => {
    const helper = (await start([COMPILED], PERL_HELPER)) as CommandHelper;

    expect(readlinkSync(`/proc/${helper.pid}/exe`)).toBe(COMPILED);
    expect(await run(helper)).toEqual({ output: `${helper.pid}\n`, code: 3 });
    expect(await run(helper)).toEqual({ output: `${helper.pid}\n`, code: 3 });
  });

  it.each([
    ['is not there', '/nowhere/command-helper'],
    ['ends at once', '/bin/false'],
    ['cannot be executed', __filename],
  ])('is the next one where the first %s', async (_how, file) => {
    const helper = (await start([file], PERL_HELPER)) as CommandHelper;

    expect(readlinkSync(`/proc/${helper.pid}/exe`)).toContain('perl');
    expect(await run(helper)).toEqual({ output: `${helper.pid}\n`, code: 3 });
    expect(said).toEqual([]);
  });

  it('is none where nothing can begin, which is said', async () => {
    expect(await start(['/bin/false'], ['/nowhere/perl'])).toBeUndefined();

    expect(said).toEqual(['No helper can be started: the executor starts commands itself, and tries again']);
    expect(listPids().filter((pid) => readStat(pid)?.parent === process.pid && readStat(pid)?.state !== 'Z')).toEqual(
      [],
    );
  });
});
