import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A process with a logger on its stdout, which says on IPC what it has done. `flood` logs that many lines, a hundred a
 * turn; `once` logs one.
 */
const PROGRAM = `
const { createLogger } = require(${JSON.stringify(join(__dirname, '..', 'dist', 'index.js'))});
const logger = createLogger({ level: 'debug', format: 'json', stream: process.stdout });
const tell = (what) => process.send({ what, rssMb: process.memoryUsage.rss() / 1e6, dropped: logger.dropped });
process.on('message', ({ flood, once }) => {
  if (once) { logger.info(once); return setTimeout(() => tell('said'), 50); }
  let left = flood;
  const turn = () => {
    for (let i = 0; i < 100 && left > 0; i += 1, left -= 1) logger.debug('line', { left, padding: 'x'.repeat(1000) });
    left > 0 ? setImmediate(turn) : tell('flooded');
  };
  turn();
});
process.on('disconnect', () => process.exit());
tell('ready');
`;

interface Told {
  what: string;
  rssMb: number;
  dropped: number;
}

const LINES = 200_000;
/** 200 MB are logged; 8 MiB may wait, and garbage is not gone at once. */
const MAY_GROW_MB = 60;

function start(
  stdout: 'pipe' | number,
  fileBlocks = 'unlimited',
): {
  child: ChildProcess;
  ask: (message: object) => Promise<Told>;
} {
  const child = spawn('sh', ['-c', `ulimit -f ${fileBlocks}; exec "$0" -e "$1"`, process.execPath, PROGRAM], {
    stdio: ['ignore', stdout, 'inherit', 'ipc'],
  });
  children.push(child);
  const ask = async (message: object): Promise<Told> => {
    const answer = once(child, 'message') as Promise<[Told]>;
    child.send(message);
    return (await answer)[0];
  };
  return { child, ask };
}

const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    const exit = once(child, 'exit');
    child.disconnect();
    await exit;
  }
});

describe('createLogger: whoever reads stdout', () => {
  it('stalls: memory is bounded, and the number of dropped lines is told when it reads again', async () => {
    const { child, ask } = start('pipe');
    const [before] = (await once(child, 'message')) as [Told];

    const after = await ask({ flood: LINES });

    expect(after.rssMb - before.rssMb).toBeLessThan(MAY_GROW_MB);
    expect(after.dropped).toBeGreaterThan(LINES - 20_000);
    // From here on it is read; the process has nothing more to say by itself.
    let text = '';
    let written = 0;
    for await (const chunk of child.stdout ?? []) {
      written += String(chunk).split('"message":"line"').length - 1;
      text = (text + String(chunk)).slice(-1_000);
      if (text.includes('"dropped":')) {
        break;
      }
    }
    expect(text).toContain(`"level":"warn","message":"log lines were dropped: their reader had stalled or failed"`);
    expect(Number(/"dropped":(\d+)/.exec(text)?.[1])).toBe(after.dropped);
    // Of a line that a chunk's border parts the count may miss the word.
    expect(written).toBeGreaterThan(0.99 * (LINES - after.dropped));
  });

  it('is gone: the process goes on', async () => {
    const { child, ask } = start('pipe');
    await once(child, 'message');
    child.stdout?.destroy();

    const told = await ask({ flood: 1_000 });
    const said = await ask({ once: 'still here' });

    expect(told.what).toBe('flooded');
    expect(said.dropped).toBeGreaterThan(900);
  });

  it('is a file that cannot grow, as on a full disk: lines are counted, and written again when there is room', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'full-disk-'));
    const file = join(folder, 'log');
    const opened = openSync(file, 'a');
    const { child, ask } = start(opened, '1024');
    closeSync(opened);
    await once(child, 'message');

    await ask({ flood: 3_000 });
    const { dropped } = await ask({ once: 'no room' });
    truncateSync(file);
    await ask({ once: 'room' });

    expect(dropped).toBeGreaterThan(1_500);
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('"message":"room"');
    expect(text).toMatch(new RegExp(`"dropped":${dropped},"error":"EFBIG"`));
    rmSync(folder, { recursive: true });
  });
});
