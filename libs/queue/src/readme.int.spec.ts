import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';

import { parseNews } from './news.js';
import { Queue } from './queue.js';
import { success } from './testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from './testing/setup.js';

type Example = (queue: typeof Queue, console: { log(...values: unknown[]): void }) => Promise<void>;

const README = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');

/** The first TypeScript block of the README, with this server and prefix in place of the local one. */
function exampleFor(url: string, prefix: string): Example {
  const [, code = ''] = /```ts\n(.*?)```/s.exec(README) ?? [];
  const body = code
    .replace(/^import \{ Queue \} from '@orchestrator\/queue';$/m, '')
    .replace("'redis://127.0.0.1:6379'", `'${url}', prefix: '${prefix}'`);
  return runInThisContext(`(async (Queue, console) => {${body}})`) as Example;
}

describe('the example of the README', () => {
  let bench: QueueBench;
  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench.stop());

  /** Resolves when so many jobs were announced as queued. */
  const untilQueued = async (q: QueueSetup, count: number): Promise<{ done: Promise<void> }> => {
    const listener = bench.server.client();
    await listener.subscribe(q.keys.news(q.pool));
    let seen = 0;
    const done = new Promise<void>((resolve) => {
      listener.on('message', (_channel, text) => {
        seen += parseNews(text).filter(({ type }) => type === 'queued').length;
        if (seen === count) {
          resolve();
        }
      });
    });
    return { done };
  };

  it('does what it says', async () => {
    const q = bench.setup();
    const lines: unknown[][] = [];
    const queued = await untilQueued(q, 4);

    const example = exampleFor(bench.server.url, q.prefix)(Queue, { log: (...values) => lines.push(values) });
    await queued.done;
    await q.openGate('s');
    const { jobs } = await q.store.claim(q.pool, [aWant('s')]);
    expect(JSON.parse(jobs[0]?.specJson ?? '')).toMatchObject({ name: 'greet', command: 'echo Hello from worker' });
    await q.store.settle(
      q.pool,
      jobs.map((job) => success(job)),
    );

    await example;
    expect(lines).toEqual([['succeeded', 0, expect.objectContaining({ queued: 3, succeeded: 1 })]]);
    await q.assertInvariants();
  });
});
