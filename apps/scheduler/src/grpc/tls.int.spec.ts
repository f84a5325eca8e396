import { X509Certificate } from 'node:crypto';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

import { systemClock } from '@orchestrator/core';
import { GoneReason, OutputStream } from '@orchestrator/proto-types';
import { TestAuthority } from '@orchestrator/testing';
import { createChannel, createClient, Metadata, Status } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';

import { TlsBench } from '../testing/tls-bench.js';
import { type GrpcBench, startGrpcBench } from './testing/grpc-bench.js';
import type { StreamWorker } from './testing/stream-worker.js';

const LIMIT_MS = 10_000;
const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

async function until(holds: () => boolean): Promise<void> {
  const limit = systemClock.monotonicMs() + LIMIT_MS;
  while (!holds()) {
    if (systemClock.monotonicMs() > limit) {
      throw new Error(`${holds.toString()} did not come true within ${LIMIT_MS} ms`);
    }
    await new Promise<void>((resolve) => systemClock.setTimer(5, resolve));
  }
}

let tls: TlsBench;
let bench: GrpcBench;

async function start(asksWorkers: boolean, options: Parameters<typeof startGrpcBench>[0] = {}): Promise<void> {
  tls = new TlsBench();
  bench = await startGrpcBench({ tls: tls.open({ asksWorkers }), ...options });
}

async function stop(): Promise<void> {
  await bench.stop();
  tls.stop();
}

/** What a client sees of a handshake. */
function shakeHands(options: ConnectionOptions = {}): Promise<{ version: string | null; serial: string }> {
  return new Promise((resolve, reject) => {
    const port = Number(bench.address.split(':')[1]);
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca: tls.authority.cert, ...options }, () => {
      const { raw } = socket.getPeerCertificate();
      resolve({ version: socket.getProtocol(), serial: new X509Certificate(raw).serialNumber });
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

const serialOf = ({ cert }: { cert: string }): string => new X509Certificate(cert).serialNumber;

describe('the gRPC server with TLS', () => {
  beforeEach(() => start(false));
  afterEach(stop);

  it('serves workers that know its authority, and asks them for no certificate', async () => {
    const worker = bench.dial({ credentials: tls.credentials() });
    await worker.greet();

    expect(bench.dispatch.isServing(worker.session)).toBe(true);
  });

  it('does not serve plain text, nor a TLS older than 1.2', async () => {
    await expect(bench.dial().greet()).rejects.toMatchObject({ code: Status.UNAVAILABLE });
    const old: ConnectionOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect(shakeHands(old)).rejects.toThrow(/alert protocol version/);
    expect(await shakeHands({ maxVersion: 'TLSv1.2' })).toMatchObject({ version: 'TLSv1.2' });
    await until(() => bench.server.connections === 0);
  });

  it('gives a new certificate to new connections, and those that are open live on', async () => {
    const worker = bench.dial({ credentials: tls.credentials() });
    await worker.greet();
    const next = tls.issue();
    tls.write({ cert: next.cert });
    await tls.files.runOnce();
    expect((await shakeHands()).serial).not.toBe(serialOf(next));
    tls.write({ key: next.key });
    await tls.files.runOnce();

    expect((await shakeHands()).serial).toBe(serialOf(next));
    await bench.dial({ credentials: tls.credentials() }).greet();
    worker.say({ $case: 'heartbeat', value: aBeat(worker) });
    await worker.take('heartbeatAck');
    const told = tls.out.lines().map(({ message }) => message);
    expect(told).toEqual(expect.arrayContaining(['the new certificate is not used yet: the old one goes on']));
    expect(told.at(-1)).not.toMatch(/not used/);
  });
});

describe('SLOW_CONSUMER and FLOODING with TLS', () => {
  beforeEach(() =>
    start(true, {
      outbox: { maxMessages: 4_096, maxBytes: MIB },
      linkEndLimits: { faultMs: 300, otherMs: 1_000 },
      messageLimits: { perSecond: 1_000, burst: 2_000 },
    }),
  );
  afterEach(stop);

  it('cuts the connection of a worker that does not read', async () => {
    const worker = bench.dial({ id: 'worker-1', credentials: tls.worker('worker-1') });
    await worker.greet({ slots: 100 });
    for (let i = 0; i < 80; i += 1) {
      await bench.submit({ stdin: 'x'.repeat(MIB / 2) });
    }
    worker.stopReading();
    worker.grant(100);

    await until(() => bench.dispatch.counters.slowConsumers === 1);
    await until(() => bench.server.connections === 0);
  });

  it('cuts the connection of a worker that sends without end', async () => {
    const worker = bench.dial({ id: 'worker-1', credentials: tls.worker('worker-1') });
    await worker.greet();
    for (let i = 0; i < 20_000; i += 1) {
      worker.say({ $case: 'heartbeat', value: aBeat(worker) });
    }

    await expect(worker.ended).rejects.toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
    await until(() => bench.server.connections === 0);
  });
});

describe('the gRPC server with mTLS', () => {
  let other: StreamWorker;
  beforeAll(async () => {
    await start(true, { joinTokens: () => ['a-token'] });
    other = bench.dial({ id: 'other', token: 'a-token', credentials: tls.worker('other') });
    await other.greet();
  });
  afterAll(stop);
  afterEach(() => expect(bench.dispatch.isServing(other.session)).toBe(true));

  const dial = (id: string, credentials = tls.worker(id)): StreamWorker =>
    bench.dial({ id, token: 'a-token', credentials });

  it.each([
    ['its common name', { name: 'worker-1' }],
    ['a DNS name', { name: 'somebody', alternatives: ['elsewhere', 'worker-1'] }],
    ['a common name with * at its end', { name: 'work*' }],
    ['a DNS name with * at its end', { name: 'somebody', alternatives: ['worker-*'] }],
  ])('takes a worker whose id is %s', async (_, { name, ...over }) => {
    const worker = dial('worker-1', tls.worker(name, over));
    await worker.greet();

    expect(bench.dispatch.isServing(worker.session)).toBe(true);
    worker.hangUp();
  });

  it.each([
    ['another one', { name: 'worker-2' }],
    ['a beginning of it', { name: 'worker' }],
    ['a pattern for others', { name: 'batch-*' }],
    ['it with something behind', { name: 'worker-1.example' }],
    ['a name made to look like two', { name: 'x', alternatives: ['a, DNS:worker-1'] }],
  ])('refuses a Hello when the certificate names %s, before anything is done', async (_, { name, ...over }) => {
    const worker = dial('worker-1', tls.worker(name, over));

    await expect(worker.greet()).rejects.toMatchObject({
      code: Status.PERMISSION_DENIED,
      details: expect.stringContaining('not for worker "worker-1"') as string,
    });
    expect(bench.dispatch.isServing(worker.session)).toBe(false);
    const [known, unknown] = await Promise.all([keysOf(other.session), keysOf(worker.session)]);
    expect({ known: known.length, unknown }).toEqual({ known: 1, unknown: [] });
    worker.hangUp();
  });

  it.each([
    ['presents none', () => tls.credentials(), 'none was presented'],
    [
      'presents one of another authority',
      () => tls.credentials(new TestAuthority('another').issue({ name: 'worker-1' })),
      'not signed by the authority in tls.ca',
    ],
    [
      'presents an expired one',
      () =>
        tls.worker('worker-1', {
          notBefore: new Date(Date.now() - 3 * DAY_MS),
          notAfter: new Date(Date.now() - DAY_MS),
        }),
      'it has expired',
    ],
  ])('tells a worker that %s why it is refused', async (_, credentials, reason) => {
    const worker = dial('worker-1', credentials());

    await expect(worker.greet()).rejects.toMatchObject({
      code: Status.UNAUTHENTICATED,
      details: expect.stringContaining(reason) as string,
    });
    worker.hangUp();
  });

  it('asks for the join token, too', async () => {
    const worker = bench.dial({ id: 'worker-1', token: 'wrong', credentials: tls.worker('worker-1') });

    await expect(worker.greet()).rejects.toMatchObject({ code: Status.UNAUTHENTICATED });
    worker.hangUp();
  });

  it('does not believe a caller that says itself what its certificate is', async () => {
    const channel = createChannel(bench.address, tls.credentials());
    const worker = dial('liar', tls.credentials());
    const metadata = new Metadata({
      authorization: 'Bearer a-token',
      'orchestrator-certificate': encodeURIComponent(JSON.stringify({ names: ['other'] })),
    });
    const request = { workerId: 'other', session: other.session, reason: GoneReason.PROCESS_ENDED, detail: '' };

    await expect(worker.client.gone(request, { metadata })).rejects.toMatchObject({ code: Status.UNAUTHENTICATED });
    channel.close();
    worker.hangUp();
  });

  it('answers health checks without a certificate', async () => {
    const channel = createChannel(bench.address, tls.credentials());
    const health = createClient(HealthDefinition, channel);

    expect(await health.check({ service: '' })).toMatchObject({ status: 1 });
    channel.close();
  });

  it("refuses a worker that says that another's session is gone", async () => {
    const worker = dial('worker-1');
    const request = { workerId: 'other', session: other.session, reason: GoneReason.PROCESS_ENDED, detail: '' };
    const { metadata } = worker;

    await expect(worker.client.gone(request, { metadata })).rejects.toMatchObject({ code: Status.PERMISSION_DENIED });
    const disguised = { ...request, workerId: 'worker-1' };
    await expect(worker.client.gone(disguised, { metadata })).rejects.toMatchObject({ code: Status.PERMISSION_DENIED });
    worker.hangUp();
  });

  it("refuses output for another's attempt, as whoever it is sent, and stores nothing of it", async () => {
    const ulid = await bench.submit();
    other.grant(1);
    const { attempts } = await other.take('assign');
    const attempt = attempts[0]?.attempt;
    const worker = dial('worker-1');
    await worker.greet();
    const chunk = { attempt, stream: OutputStream.STDOUT, offset: 0, data: Buffer.from('forged'), sequence: 1 };
    const send = async (names: Record<string, string>): Promise<void> => {
      const metadata = new Metadata({ authorization: 'Bearer a-token', ...names });
      for await (const _ of worker.client.output(once({ chunks: [chunk] }), { metadata })) {
        // An answer is already too much.
      }
    };
    const denied = { code: Status.PERMISSION_DENIED };

    await expect(send({})).rejects.toMatchObject(denied);
    await expect(send({ 'orchestrator-worker': 'other' })).rejects.toMatchObject(denied);
    await expect(send({ 'orchestrator-worker': 'worker-1' })).rejects.toMatchObject(denied);
    await expect(
      send({ 'orchestrator-worker': 'worker-1', 'orchestrator-session': other.session }),
    ).rejects.toMatchObject(denied);
    expect(await bench.output(ulid)).toBe('');
    worker.hangUp();
  });
});

function keysOf(session: string): Promise<string[]> {
  return bench.redis.client().keys(`*${session}*`);
}

function aBeat(worker: StreamWorker, sequence = 1) {
  const usage = { freeSlots: 1, load: 0, memoryUsedBytes: 0, memoryTotalBytes: 0 };
  return { epoch: worker.epoch, sequence, acknowledged: sequence - 1, ...usage };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
