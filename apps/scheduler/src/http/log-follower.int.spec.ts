import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type JobAddress, parseJobId } from '@orchestrator/core';
import type { LogFields } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { type ApiBench, startApi } from '../testing/a-server.js';
import { LogFollower, STALLED_MS } from './log-follower.js';

let api: ApiBench;
let folder: string;
let pools = 0;
beforeAll(async () => {
  api = await startApi();
  folder = mkdtempSync(join(tmpdir(), 'follower-'));
});
afterAll(async () => {
  await api.stop();
  rmSync(folder, { recursive: true });
});

/** NUL takes six characters in JSON: three megabytes on the wire. */
const BYTES_EACH = 256 * 1024;
const CHUNK = 16 * 1024;

async function noisyJob(): Promise<JobAddress> {
  const pool = `noisy-${++pools}`;
  const { body } = await api.post('/api/v1/jobs', { name: 'a', command: 'true', pool });
  const job = await api.claim(await api.join(`worker-${pool}`, [pool]), pool);
  const { ulid, attemptId, fence, number } = job;
  const data = Buffer.alloc(CHUNK);
  for (const stream of ['stdout', 'stderr'] as const) {
    for (let offset = 0; offset < BYTES_EACH; offset += CHUNK) {
      await api.store.appendOutput(pool, [
        { ulid, attemptId, fence, number, stream, offset, sequence: offset / CHUNK, data },
      ]);
    }
  }
  await api.succeed(job, { pool });
  return parseJobId(body.id) ?? { pool, ulid };
}

interface Stage {
  clock: ManualClock;
  client: Socket;
  out: ServerResponse;
  ended: Promise<void>;
  warnings: { message: string; fields: LogFields | undefined }[];
  received(): string;
  server: Server;
}

/** A follower over a socket that holds 200 kB and no more, whoever reads it or does not. */
async function follow(address: JobAddress): Promise<Stage> {
  const clock = new ManualClock();
  const warnings: Stage['warnings'] = [];
  const logger = {
    ...api.deps.logger,
    warn: (message: string, fields?: LogFields) => warnings.push({ message, fields }),
  };
  const path = join(folder, `${address.pool}.sock`);
  const server = createServer().listen(path);
  await once(server, 'listening');
  const client = connect(path).pause();
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [, out] = (await once(server, 'request')) as [unknown, ServerResponse];
  const gone = new AbortController();
  out.once('close', () => gone.abort());
  const { store } = api.deps;
  const params = { store, clock, logger, address, attempt: undefined, stream: undefined, out, signal: gone.signal };
  const ended = new LogFollower(params).run();
  let text = '';
  client.on('data', (chunk) => (text += String(chunk))).pause();
  return { clock, client, out, ended, warnings, received: () => text, server };
}

/** Until it waits for its client and for nothing else. */
async function isStuck({ clock, out }: Stage): Promise<void> {
  for (let same = 0, before = -1; same < 20 || !out.writableNeedDrain || clock.pendingTimers === 0;) {
    same = out.writableLength === before ? same + 1 : 0;
    before = out.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('LogFollower: a client that does not read', () => {
  it('costs one event of memory, and is cut off by name', async () => {
    const address = await noisyJob();
    const stage = await follow(address);
    await isStuck(stage);

    // One chunk of NUL bytes as JSON, and what HTTP adds.
    expect(stage.out.writableLength).toBeLessThan(8 * CHUNK);
    stage.clock.advance(STALLED_MS - 1);
    expect(stage.warnings).toEqual([]);
    stage.clock.advance(1);
    await stage.ended;

    expect(stage.warnings).toEqual([
      {
        message: 'a client that follows output reads too slowly: its connection was cut',
        fields: expect.objectContaining({ job: `${address.pool}:${address.ulid}`, stalledMs: STALLED_MS }),
      },
    ]);
    expect(stage.clock.pendingTimers).toBe(0);
    stage.client.resume();
    await once(stage.client, 'close');
    expect(stage.received()).not.toContain('event: end');
    stage.server.close();
  });

  it('misses nothing when it reads again in time', async () => {
    const stage = await follow(await noisyJob());
    await isStuck(stage);
    stage.clock.advance(STALLED_MS - 1);

    stage.client.resume();
    await stage.ended;
    stage.client.end();
    await once(stage.client, 'close');

    expect(stage.warnings).toEqual([]);
    expect(stage.received().split('\\u0000').length - 1).toBe(2 * BYTES_EACH);
    expect(stage.received()).toContain('event: end');
    stage.server.close();
  });

  it('may hang up meanwhile', async () => {
    const stage = await follow(await noisyJob());
    await isStuck(stage);

    stage.client.destroy();
    await stage.ended;

    expect(stage.clock.pendingTimers).toBe(0);
    expect(stage.warnings).toEqual([]);
    stage.server.close();
  });
});

describe('LogFollower: a job that says nothing new', () => {
  it('reads its output once', async () => {
    const pool = `quiet-${++pools}`;
    const { body } = await api.post('/api/v1/jobs', { name: 'a', command: 'true', pool });
    const job = await api.claim(await api.join(`worker-${pool}`, [pool]), pool);
    const { ulid, attemptId, fence, number } = job;
    const chunk = { ulid, attemptId, fence, number, stream: 'stdout' as const, offset: 0, sequence: 1 };
    await api.store.appendOutput(pool, [{ ...chunk, data: Buffer.from('once\n') }]);
    const reading = jest.spyOn(api.deps.store, 'readOutput');
    const stage = await follow(parseJobId(body.id) ?? { pool, ulid });
    stage.client.resume();

    for (let looks = 0; looks < 5; looks += 1) {
      await aPause(stage);
      stage.clock.advance(500);
    }
    await aPause(stage);
    await api.succeed(job, { pool });
    stage.clock.advance(500);
    await stage.ended;

    expect(reading).toHaveBeenCalledTimes(1);
    expect(stage.received().match(/"text":"once/g)).toHaveLength(1);
    reading.mockRestore();
    stage.client.end();
    stage.server.close();
  });
});

/** It has looked, and waits for the next time. */
async function aPause({ clock }: Stage): Promise<void> {
  while (clock.pendingTimers === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
