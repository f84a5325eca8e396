import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Program } from './harness/program.js';

const EXIT_WITHIN_MS = 60_000;
const OLD_SERVER = '#!/bin/sh\necho "Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64 build=1"\n';

/** A machine with Node, npm and a shell, and no package manager of Debian to fetch a Redis with. */
describe('where no Redis can be had', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'orchestrator-none-'));
    symlinkSync(process.execPath, join(folder, 'node'));
    symlinkSync('/bin/sh', join(folder, 'sh'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (file: string): Program =>
    new Program({
      name: file,
      file,
      args: [],
      env: {
        PATH: folder,
        ORCHESTRATOR_STATE_DIRECTORY: join(folder, 'state'),
        ORCHESTRATOR_REDIS_URL: undefined,
        ORCHESTRATOR_REDIS_SERVER: undefined,
      },
    });

  it.each(['tools/start.mjs', 'tools/demo.mjs'])('ends %s with 2 and names the three remedies', async (file) => {
    const program = run(file);

    expect(await program.ended(EXIT_WITHIN_MS)).toEqual({ code: 2, signal: null });
    expect(program.output).toMatch(/1\. .*apt-get install redis-server/);
    expect(program.output).toMatch(/2\. .*ORCHESTRATOR_REDIS_URL=redis:/);
    expect(program.output).toMatch(/3\. .*docker run/);
    expect(program.output).not.toMatch(/^\s+at .*:\d+:\d+/m);
  });

  it('takes one that is older than 7.0 for none, and says so', async () => {
    writeFileSync(join(folder, 'redis-server'), OLD_SERVER, { mode: 0o755 });

    const program = run('tools/start.mjs');

    expect(await program.ended(EXIT_WITHIN_MS)).toEqual({ code: 2, signal: null });
    expect(program.output).toMatch(/redis-server is too old for us: .*v=6\.2\.14/);
  });
});
