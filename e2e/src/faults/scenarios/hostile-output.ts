import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { JobView } from '../../harness/api.js';
import { letPass } from '../../harness/wait.js';
import { hostile, type HostileBench } from '../hostile-bench.js';
import { requireThat } from '../scenario.js';

const MIB = 1_024 * 1_024;
/** What is kept of a stream: the first quarter and the last three of 256 KiB. */
const HEAD_BYTES = 64 * 1_024;
const TAIL_BYTES = 192 * 1_024;
const [HEAD, TAIL] = ['the very first words', 'and the last ones'];

/** So many bytes of x between a head and a tail that can be told. */
function flood(bytes: number): string {
  const between = bytes - HEAD.length - TAIL.length;
  return `printf '%s' '${HEAD}'; head -c ${between} /dev/zero | tr '\\0' x; printf '%s' '${TAIL}'`;
}

async function requireFlood(bench: HostileBench, job: JobView, bytes: number): Promise<void> {
  const { output, state } = job;
  requireThat(state === 'succeeded', `${job.id} is ${state}: ${JSON.stringify(job.failure)}`);
  requireThat(output.stdoutBytes === bytes, `${output.stdoutBytes} bytes were counted: expected ${bytes}`);
  requireThat(output.truncated, 'is not said to be truncated');
  const { bytes: logs } = await bench.logs(job.id, '?stream=stdout');
  const gap = `\n[… ${bytes - HEAD_BYTES - TAIL_BYTES} bytes of stdout left out …]\n`;
  const expected = HEAD + 'x'.repeat(HEAD_BYTES - HEAD.length) + gap + 'x'.repeat(TAIL_BYTES - TAIL.length) + TAIL;
  requireThat(logs.equals(Buffer.from(expected)), `${logs.length} bytes are kept, not head, gap and tail`);
}

const oneGibibyte = hostile({
  id: 'D1',
  title: '1 GiB of output from one job',
  promise: 'all of it is read and counted, head and tail are kept, memory stays flat',
  async attack(bench) {
    const since = performance.now();
    const job = await bench.run(flood(1_024 * MIB), { timeout: 120 });
    const seconds = (performance.now() - since) / 1_000;
    await requireFlood(bench, job, 1_024 * MIB);
    return `1 GiB in ${seconds.toFixed(1)} s`;
  },
});

const manyFloods = hostile({
  id: 'D1-many',
  title: '50 MiB of output from each of 20 jobs at once',
  promise: 'as one: each is counted exactly, memory stays flat',
  options: { slots: 21 },
  async attack(bench) {
    const since = performance.now();
    const ids = await Promise.all(Array.from({ length: 20 }, () => bench.submit(flood(50 * MIB), { timeout: 120 })));
    const jobs = await Promise.all(ids.map((id) => bench.finished(id)));
    const seconds = (performance.now() - since) / 1_000;
    for (const job of jobs) {
      await requireFlood(bench, job, 50 * MIB);
    }
    return `1,000 MiB in ${seconds.toFixed(1)} s`;
  },
});

/** What readers and terminals stumble over, and noise up to nearly all that is kept. */
function hostileBytes(): Buffer {
  return Buffer.concat([
    Buffer.from('\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m\r\b\x9b2J'),
    Buffer.from([0, 0, 0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf5, 0x80, 0x80, 0x80]),
    Buffer.from('<script>alert(1)</script>\u202e\ud83d\ude00\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'),
    randomBytes(250_000),
    // The beginning of a character that never becomes whole.
    Buffer.from([0xe2, 0x82]),
  ]);
}

const binary = hostile({
  id: 'D2',
  title: 'binary output: invalid UTF-8, NUL, escapes; a line of 100 MB',
  promise: 'GET logs answers byte for byte what was kept, as text/plain with nosniff',
  quick: true,
  async attack(bench) {
    const bytes = hostileBytes();
    const file = join(bench.context.folder, 'hostile-bytes');
    writeFileSync(file, bytes);
    const slowly = `for at in $(seq 0 9); do dd if=${file} bs=777 skip=$at count=1 2>/dev/null; sleep 0.03; done`;
    const [whole, inPieces, line] = await Promise.all([
      bench.submit(`cat ${file}`),
      bench.submit(slowly),
      bench.submit(flood(100_000_000), { timeout: 60 }),
    ]);
    for (const [id, expected] of [
      [whole, bytes],
      [inPieces, bytes.subarray(0, 7_770)],
    ] as const) {
      const job = await bench.finished(id);
      const logs = await bench.logs(id);
      requireThat(job.state === 'succeeded' && !job.output.truncated, `${id} is ${job.state}`);
      requireThat(logs.bytes.equals(expected), `GET logs answered ${logs.bytes.length} other bytes`);
      const type = logs.headers.get('content-type') ?? '';
      requireThat(type.startsWith('text/plain'), `content-type ${type}`);
      requireThat(logs.headers.get('x-content-type-options') === 'nosniff', 'browsers may guess what it is');
    }
    await requireFlood(bench, await bench.finished(line), 100_000_000);
    return `${bytes.length} bytes as they were, the line of 100 MB to its cap`;
  },
});

const fasterThanRedis = hostile({
  id: 'D1-redis',
  title: '50 MB/s of output for 10 s, Redis stopped for 2 s three times',
  promise: 'memory is bounded, no heartbeat is late, the output is marked as truncated',
  async attack(bench) {
    const [pieces, pieceBytes] = [100, 5_000_000];
    const body = `i=0; while [ $i -lt ${pieces} ]; do head -c ${pieceBytes} /dev/zero | tr '\\0' y; sleep 0.1; i=$((i + 1)); done`;
    const id = await bench.submit(body, { timeout: 120 });
    for (let stop = 0; stop < 3; stop += 1) {
      await letPass(1_500);
      bench.context.recorder.fault({ what: 'SIGSTOP for 2 s', target: 'redis' });
      await bench.cluster.redis.signal('SIGSTOP');
      await letPass(2_000);
      await bench.cluster.redis.signal('SIGCONT');
    }
    const { output, state } = await bench.finished(id);
    requireThat(state === 'succeeded' && output.truncated, `is ${state}, truncated: ${output.truncated}`);
    requireThat(output.stdoutBytes === pieces * pieceBytes, `${output.stdoutBytes} bytes were counted`);
    const { bytes } = await bench.logs(id, '?stream=stdout');
    requireThat(bytes.toString().endsWith('y'.repeat(TAIL_BYTES)), 'the tail is not what was written last');
    return `${output.stdoutBytes / 1e6} MB counted, ${bytes.length} bytes kept`;
  },
});

export const hostileOutput = [oneGibibyte, manyFloods, binary, fasterThanRedis];
