import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

import { systemClock } from '@orchestrator/core';
import { FinishedAttempt, GoneReason, Outcome, OutputStream } from '@orchestrator/proto-types';
import { createChannel, createClient, Status } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';

import { type GrpcBench, startGrpcBench } from './testing/grpc-bench.js';

const LIMIT_MS = 10_000;

async function until(holds: () => boolean): Promise<void> {
  const limit = systemClock.monotonicMs() + LIMIT_MS;
  while (!holds()) {
    if (systemClock.monotonicMs() > limit) {
      throw new Error(`${holds.toString()} did not come true within ${LIMIT_MS} ms`);
    }
    await new Promise<void>((resolve) => systemClock.setTimer(5, resolve));
  }
}

describe('the gRPC server', () => {
  let bench: GrpcBench;
  beforeAll(async () => {
    bench = await startGrpcBench();
  });
  afterAll(() => bench.stop());

  it('carries a job to a worker and its result back', async () => {
    const worker = bench.dial();
    await worker.greet();
    worker.grant(1);
    const ulid = await bench.submit();

    const { attempts } = await worker.take('assign');
    const attempt = attempts[0]?.attempt;
    const finished = FinishedAttempt.fromPartial({ attempt: attempt!, outcome: Outcome.SUCCEEDED, exitCode: 0 });
    worker.say({ $case: 'finished', value: { attempts: [finished], packed: '' } });

    expect(await worker.take('recorded')).toEqual({ attempts: [attempt], packed: '' });
    expect((await bench.job(ulid)).state).toBe('succeeded');
    worker.hangUp();
  });

  it('notices that a worker hung up, and leaves its job alone', async () => {
    const worker = bench.dial();
    await worker.greet();
    worker.grant(1);
    const ulid = await bench.submit();
    await worker.take('assign');
    expect(bench.dispatch.isServing(worker.session)).toBe(true);

    worker.hangUp();

    await until(() => !bench.dispatch.isServing(worker.session));
    expect(await bench.job(ulid)).toMatchObject({ state: 'running', session: worker.session });
    await bench.dispatch.gone({ worker: worker.id, session: worker.session, reason: 'superseded', detail: '' });
  });

  it('notices a connection that is open and dead, within the time of its keepalive', async () => {
    const sockets: Socket[] = [];
    const proxy = createServer((client) => {
      const server = connect(bench.server.port ?? 0, '127.0.0.1');
      sockets.push(client, server);
      client.pipe(server);
      server.pipe(client);
      [client, server].forEach((socket) => socket.on('error', () => undefined));
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const worker = bench.dial({ address: `127.0.0.1:${(proxy.address() as { port: number }).port}` });
    await worker.greet();

    sockets.forEach((socket) => socket.unpipe().pause());

    await until(() => !bench.dispatch.isServing(worker.session));
    sockets.forEach((socket) => socket.destroy());
    proxy.close();
  });

  it('ends a stream that makes no sense with INVALID_ARGUMENT', async () => {
    const worker = bench.dial();

    worker.say({ $case: 'goodbye', value: {} });

    await expect(worker.ended).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT });
  });

  it('ends the stream of an old Hello with ABORTED', async () => {
    const newer = bench.dial();
    await newer.greet({ number: 5 });
    const older = bench.dial({ id: newer.id, session: newer.session });

    await expect(older.greet({ number: 4, hasRun: true })).rejects.toMatchObject({ code: Status.ABORTED });
    newer.hangUp();
  });

  it('ends the stream of a message above the limit, and no other', async () => {
    const other = bench.dial();
    await other.greet();
    const worker = bench.dial();
    await worker.greet();
    const attempt = { jobId: 'default:x', attemptId: 'a.0', fence: 1 };
    const huge = FinishedAttempt.fromPartial({ attempt, resultJson: 'x'.repeat(5 * 1024 * 1024) });

    worker.say({ $case: 'finished', value: { attempts: [huge], packed: '' } });

    await expect(worker.ended).rejects.toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
    await until(() => !bench.dispatch.isServing(worker.session));
    expect(bench.dispatch.isServing(other.session)).toBe(true);
    other.hangUp();
  });

  it('acknowledges output on its own stream', async () => {
    const worker = bench.dial();
    await worker.greet();
    worker.grant(1);
    await bench.submit();
    const attempt = (await worker.take('assign')).attempts[0]?.attempt;
    const chunk = { attempt, stream: OutputStream.STDOUT, offset: 0, sequence: 1, data: Buffer.from('hello') };

    const acks = worker.client.output(
      (async function* () {
        yield { chunks: [chunk] };
        yield { chunks: [{ ...chunk, offset: 5, sequence: 2 }] };
      })(),
      { metadata: worker.metadata },
    );

    const ends: number[] = [];
    for await (const { marks } of acks) {
      ends.push(...marks.map(({ endOffset }) => endOffset));
    }
    expect(ends).toEqual([5, 10]);
    worker.hangUp();
  });

  it('takes a last will, from the session that it is of', async () => {
    const worker = bench.dial();
    await worker.greet();
    const { session } = worker;
    const will = { workerId: worker.id, session, reason: GoneReason.PROCESS_ENDED, detail: 'exit code 1' };

    await expect(worker.client.gone({ ...will, workerId: 'another' })).rejects.toMatchObject({
      code: Status.PERMISSION_DENIED,
    });
    await expect(worker.client.gone({ ...will, reason: GoneReason.UNSPECIFIED })).rejects.toMatchObject({
      code: Status.INVALID_ARGUMENT,
    });
    expect(bench.dispatch.isServing(session)).toBe(true);
    await worker.client.gone(will);

    await worker.ended;
    expect(bench.dispatch.isServing(session)).toBe(false);
  });
});

describe('the gRPC server with a join token', () => {
  let bench: GrpcBench;
  let tokens = ['a-secret'];
  beforeAll(async () => {
    bench = await startGrpcBench({ joinTokens: () => tokens });
  });
  afterAll(() => bench.stop());

  it.each([undefined, 'wrong', ''])('refuses the token %p before anything is read', async (token) => {
    const worker = bench.dial(token === undefined ? {} : { token });
    const { metadata } = worker;
    const request = { workerId: 'w', session: 's', reason: GoneReason.PROCESS_ENDED, detail: '' };

    const refused = { status: 'rejected', reason: { code: Status.UNAUTHENTICATED } };
    const calls = await Promise.allSettled([worker.client.gone(request, { metadata }), worker.greet()]);

    expect(calls).toMatchObject([refused, refused]);
    expect(bench.dispatch.connected()).toBe(0);
  });

  it('lets in who presents it', async () => {
    const worker = bench.dial({ token: 'a-secret' });

    await worker.greet();

    expect(bench.dispatch.connected()).toBe(1);
    worker.hangUp();
  });

  it('asks for those that hold now: two while they are exchanged, then only the new one', async () => {
    tokens = ['a-secret', 'its-successor'];
    const [old, next] = [bench.dial({ token: 'a-secret' }), bench.dial({ token: 'its-successor' })];
    await Promise.all([old.greet(), next.greet()]);
    tokens = ['its-successor'];
    const late = bench.dial({ token: 'a-secret' });

    await expect(late.greet()).rejects.toMatchObject({ code: Status.UNAUTHENTICATED });
    expect(bench.dispatch.connected()).toBe(2);
    [old, next].forEach((worker) => worker.hangUp());
    tokens = ['a-secret'];
  });

  it('answers health checks without a token', async () => {
    const channel = createChannel(bench.address);
    const health = createClient(HealthDefinition, channel);

    expect(await health.check({ service: '' })).toMatchObject({ status: 1 });
    channel.close();
  });
});

describe('stopping the gRPC server', () => {
  it('moves workers away first and cuts off, within its limit, those that stay', async () => {
    const bench = await startGrpcBench();
    const obedient = bench.dial();
    const stubborn = bench.dial();
    await Promise.all([obedient.greet(), stubborn.greet()]);

    const stopped = bench.dispatch.streams.stop();
    await obedient.take('reconnect');
    obedient.hangUp();
    await stopped;
    await bench.server.stop();

    await stubborn.ended;
    expect(bench.server.port).toBeUndefined();
    await bench.stop();
  });
});
