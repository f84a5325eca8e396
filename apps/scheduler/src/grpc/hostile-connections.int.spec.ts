import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';

import { systemClock } from '@orchestrator/core';
import { type AttemptRef, FinishedAttempt, Outcome } from '@orchestrator/proto-types';

import { type RawClient, rawClient } from '../testing/raw-client.js';
import { type GrpcBench, startGrpcBench } from './testing/grpc-bench.js';
import type { StreamWorker } from './testing/stream-worker.js';

const LIMIT_MS = 20_000;
/** This process is also the attacker, on a machine that has other work. Its lease is 12 s. */
const ACKNOWLEDGED_WITHIN_MS = 3_000;
const MAY_GROW_MIB = 150;
const ATTACKER = '127.0.0.2';
const MAX_CONNECTIONS = 100;
const TOKEN = 'a-secret';
const MIB = 1024 * 1024;
const CONNECT = '/orchestrator.v1.WorkerService/Connect';
const GONE = '/orchestrator.v1.WorkerService/Gone';

async function until(what: string, holds: () => boolean): Promise<void> {
  const limit = systemClock.monotonicMs() + LIMIT_MS;
  while (!holds()) {
    if (systemClock.monotonicMs() > limit) {
      throw new Error(`${what}: did not come true within ${LIMIT_MS} ms`);
    }
    await new Promise<void>((resolve) => systemClock.setTimer(10, resolve));
  }
}

let bench: GrpcBench;
let port: number;
let neighbour: Neighbour;
let clients: RawClient[];
let sessions: ClientHttp2Session[];
let memoryBefore: number;
beforeAll(async () => {
  bench = await startGrpcBench({
    joinTokens: () => [TOKEN],
    maxConnections: MAX_CONNECTIONS,
    peerLimits: { idleMs: 1_500, refusedCalls: 20 },
  });
  port = bench.server.port ?? 0;
});
afterAll(() => bench.stop());
beforeEach(async () => {
  clients = [];
  sessions = [];
  memoryBefore = process.memoryUsage().rss;
  neighbour = new Neighbour(bench.dial({ token: TOKEN }));
  await neighbour.begin();
});
afterEach(async () => {
  const { slowestMs, beats } = await neighbour.end();
  clients.forEach(({ socket }) => socket.destroy());
  sessions.forEach((session) => session.destroy());
  expect(beats).toBeGreaterThan(0);
  expect(slowestMs).toBeLessThan(ACKNOWLEDGED_WITHIN_MS);
  await until('all connections are closed', () => bench.server.connections === 0);
  expect((process.memoryUsage().rss - memoryBefore) / MIB).toBeLessThan(MAY_GROW_MIB);
});

/** A worker with a job, that beats while others do their worst, and brings in its result afterwards. */
class Neighbour {
  #sequence = 0;
  #slowestMs = 0;
  #stopped = false;
  #beating: Promise<void> = Promise.resolve();
  #ulid = '';
  #attempt: AttemptRef | undefined;

  constructor(private readonly worker: StreamWorker) {}

  async begin(): Promise<void> {
    await this.worker.greet();
    this.worker.grant(1);
    this.#ulid = await bench.submit();
    this.#attempt = (await this.worker.take('assign')).attempts[0]?.attempt;
    this.#beating = this.#beat();
  }

  async end(): Promise<{ slowestMs: number; beats: number }> {
    this.#stopped = true;
    await this.#beating;
    const finished = FinishedAttempt.fromPartial({ attempt: this.#attempt!, outcome: Outcome.SUCCEEDED });
    this.worker.say({ $case: 'finished', value: { attempts: [finished], packed: '' } });
    await this.worker.take('recorded');
    expect((await bench.job(this.#ulid)).state).toBe('succeeded');
    this.worker.hangUp();
    return { slowestMs: this.#slowestMs, beats: this.#sequence };
  }

  async #beat(): Promise<void> {
    while (!this.#stopped) {
      const sinceMs = systemClock.monotonicMs();
      this.#sequence += 1;
      const usage = { freeSlots: 0, load: 0, memoryUsedBytes: 0, memoryTotalBytes: 0 };
      const { epoch } = this.worker;
      const numbers = { epoch, sequence: this.#sequence, acknowledged: this.#sequence - 1 };
      this.worker.say({ $case: 'heartbeat', value: { ...numbers, ...usage } });
      await this.worker.take('heartbeatAck');
      this.#slowestMs = Math.max(this.#slowestMs, systemClock.monotonicMs() - sinceMs);
      await new Promise<void>((resolve) => systemClock.setTimer(50, resolve));
    }
  }
}

function attack(says?: string | Buffer): RawClient {
  const client = rawClient(port, { from: ATTACKER, ...(says === undefined ? {} : { says }) });
  clients.push(client);
  return client;
}

function http2(settings: Record<string, number> = {}): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { settings });
  session.on('error', () => undefined);
  sessions.push(session);
  return session;
}

function call(session: ClientHttp2Session, path: string, more: Record<string, string> = {}) {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...more };
  const stream = session.request(headers);
  stream.on('error', () => undefined).resume();
  return stream;
}

/** One frame of HTTP/2. */
function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]);
const authorization = `Bearer ${TOKEN}`;

describe('a client without a token', () => {
  it('that opens connections and says nothing loses them, and takes nobody else’s', async () => {
    for (let index = 0; index < 5 * MAX_CONNECTIONS; index += 1) {
      attack();
    }

    await until('all are closed', () => clients.every((client) => !client.isOpen()));
  });

  it('is cut off when it calls again and again', async () => {
    const session = http2();
    const statuses: unknown[] = [];

    for (let index = 0; index < 60 && !session.closed; index += 1) {
      call(session, CONNECT).on('response', (headers) => statuses.push(headers['grpc-status']));
    }

    await until('it is closed', () => session.destroyed);
    expect(new Set(statuses)).toEqual(new Set(statuses.length === 0 ? [] : ['16']));
  });

  it('is refused before its message has arrived: nothing of it is kept', async () => {
    const session = http2();
    let status: unknown;
    const stream = call(session, GONE).on('response', (headers) => (status = headers['grpc-status']));

    stream.write(Buffer.concat([Buffer.from([0, 0, 0x3f, 0xff, 0xff]), Buffer.alloc(1_000)])); // 4 MiB are to follow

    await until('it is refused', () => status === '16');
  });

  it.each<[string, string | Buffer]>([
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['garbage', Buffer.alloc(100_000, 0xff)],
    ['the hello of TLS', Buffer.from('16030100a5010000a10303', 'hex')],
    ['half a preface', 'PRI * HTTP'],
    ['PINGs without end', Buffer.concat([PREFACE, ...Array<Buffer>(50_000).fill(frame(6, 0, 0, Buffer.alloc(8)))])],
    ['SETTINGS without end', Buffer.concat([PREFACE, ...Array<Buffer>(50_000).fill(frame(4, 0, 0))])],
    [
      'CONTINUATIONs without end',
      Buffer.concat([
        PREFACE,
        frame(1, 0, 1, Buffer.from([0x82])),
        ...Array<Buffer>(5_000).fill(frame(9, 0, 1, Buffer.alloc(1_000, 0x82))),
      ]),
    ],
    ['frames that are too long', Buffer.concat([PREFACE, frame(0, 0, 1, Buffer.alloc(100_000))])],
  ])('is cut off when it speaks %s', async (_what, says) => {
    const many = Array.from({ length: 5 }, () => attack(says));

    await until('they are closed', () => many.every((client) => !client.isOpen()));
  });

  it('is answered no metadata of a megabyte', async () => {
    const session = http2();

    const stream = call(session, CONNECT, { 'x-long': 'x'.repeat(MIB) });

    await until('it is closed', () => stream.destroyed);
  });
});

describe('a client with the token', () => {
  it('has a hundred streams on a connection, and loses what says no Hello', async () => {
    const session = http2();
    let ended = 0;
    await until('it knows', () => session.remoteSettings?.maxConcurrentStreams === 100);

    for (let index = 0; index < 300; index += 1) {
      call(session, CONNECT, { authorization }).on('close', () => (ended += 1));
    }

    expect(ended).toBe(0);
    session.destroy();
    await until('they are ended', () => ended === 300);
  });

  it('is cut off when it opens streams only to reset them', async () => {
    const session = http2();
    await until('it is connected', () => session.remoteSettings?.maxConcurrentStreams === 100);

    for (let index = 0; index < 5_000 && !session.closed && !session.destroyed; index += 1) {
      call(session, CONNECT, { authorization }).close(constants.NGHTTP2_CANCEL);
      if (index % 50 === 0) {
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    }

    await until('it is cut off', () => session.closed || session.destroyed);
  });

  it.each([
    ['that are no message', Buffer.concat([Buffer.from([0, 0, 0, 0, 200]), Buffer.alloc(200, 0xff)]), '13'],
    ['that announce a message of 4 GiB', Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), '8'],
  ])('ends its own stream with bytes %s', async (_what, message, expected) => {
    const session = http2();
    let status: unknown;
    const stream = call(session, CONNECT, { authorization }).on('response', (headers) => {
      status = headers['grpc-status'];
    });

    stream.write(message);

    await until('it is ended', () => status === expected);
  });

  it('lets itself be given nothing, and waits alone for it', async () => {
    const session = http2({ initialWindowSize: 0 });
    const stream = call(session, CONNECT, { authorization });

    stream.write(Buffer.from([0, 0, 0, 0, 0]));

    await until('it has its headers', () => bench.server.connections === 2);
    session.destroy();
  });
});
