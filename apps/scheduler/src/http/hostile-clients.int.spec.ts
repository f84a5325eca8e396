import { connect } from 'node:net';

import { systemClock } from '@orchestrator/core';

import { type ApiBench, startApi } from '../testing/a-server.js';
import { Neighbour, type RawClient, rawClient } from '../testing/raw-client.js';
import { MAX_PIPELINED } from './pipelining.js';

const LIMIT_MS = 20_000;
/** This process is also the attacker, on a machine that has other work. */
const NEIGHBOUR_WITHIN_MS = 2_000;
const ATTACKER = '127.0.0.2';
const MAX_CONNECTIONS = 200;
const TAKEN_WITHIN_MS = 1_500;
/** Node itself lets it stay for 10 s. */
const LINGERS_MS = 6_000;
const MAX_WAITERS = 60;

async function until(what: string, holds: () => boolean): Promise<void> {
  const limit = systemClock.monotonicMs() + LIMIT_MS;
  while (!holds()) {
    if (systemClock.monotonicMs() > limit) {
      throw new Error(`${what}: did not come true within ${LIMIT_MS} ms`);
    }
    await new Promise<void>((resolve) => systemClock.setTimer(10, resolve));
  }
}

let api: ApiBench;
let port: number;
let neighbour: Neighbour;
let clients: RawClient[];
beforeAll(async () => {
  api = await startApi({
    http: { maxConnections: MAX_CONNECTIONS, takenWithinMs: TAKEN_WITHIN_MS },
    maxWaiters: MAX_WAITERS,
  });
  port = Number(new URL(api.url).port);
});
afterAll(() => api.stop());
beforeEach(() => {
  neighbour = new Neighbour(api.url);
  clients = [];
});
afterEach(async () => {
  const { answers, slowestMs, troubles } = await neighbour.stop();
  clients.forEach(({ socket }) => socket.destroy());
  expect(troubles).toEqual([]);
  expect(answers).toBeGreaterThan(0);
  expect(slowestMs).toBeLessThan(NEIGHBOUR_WITHIN_MS);
  await until('all connections are closed', () => api.service.connections === 0);
});

function attack(says?: string | Buffer, from = ATTACKER): RawClient {
  const client = rawClient(port, { from, ...(says === undefined ? {} : { says }) });
  clients.push(client);
  return client;
}

async function submit(): Promise<string> {
  const { body } = await api.post('/api/v1/jobs', { name: 'a', command: 'true' });
  return (body as { id: string }).id;
}

/** Writes it as slowly as it can be called alive. */
function drip(client: RawClient, text: string, everyMs: number): void {
  const step = (index: number): void => {
    if (client.isOpen() && index < text.length) {
      client.socket.write(text[index] ?? '');
      systemClock.setTimer(everyMs, () => step(index + 1));
    }
  };
  step(0);
}

const status = (text: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);

describe('one address with more connections than there may be', () => {
  it('loses those that have been idle for longest, and nobody else loses any', async () => {
    const quiet = rawClient(port, { from: '127.0.0.3' });
    clients.push(quiet);
    await until('it is connected', () => api.service.connections >= 2);

    for (let index = 0; index < 3 * MAX_CONNECTIONS; index += 1) {
      attack();
    }

    const lost = (): number => clients.filter((client) => !client.isOpen()).length;
    await until('what is too much is closed', () => lost() >= 2 * MAX_CONNECTIONS);
    expect(api.service.connections).toBeLessThanOrEqual(MAX_CONNECTIONS);
    expect(quiet.isOpen()).toBe(true);
    expect(clients.at(-1)?.isOpen()).toBe(true);
    expect(clients[1]?.isOpen()).toBe(false);
  });

  it('keeps its requests that are under way', async () => {
    const session = await api.join('worker-1');
    const id = await submit();
    const waiting = Array.from({ length: 50 }, () =>
      attack(`GET /api/v1/jobs/${id}?wait=30 HTTP/1.1\r\nHost: localhost\r\n\r\n`),
    );
    await until('they wait', () => api.polls.waiters === waiting.length);

    for (let index = 0; index < 3 * MAX_CONNECTIONS; index += 1) {
      attack();
    }
    await until('what is too much is closed', () => clients.at(-2 * MAX_CONNECTIONS)?.isOpen() === false);

    await api.succeed(await api.claim(session));
    await until('they are answered', () => waiting.every(({ text }) => status(text()) === 200));
  });

  it('cannot lock out others by requests that do not end', async () => {
    const says = 'POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{';
    for (let index = 0; index < 2 * MAX_CONNECTIONS; index += 1) {
      attack(says);
    }
    await until('there is no room', () => api.service.connections === MAX_CONNECTIONS);

    const guest = attack('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', '127.0.0.4');

    await until('it is answered', () => status(guest.text()) === 200);
    expect(api.service.connections).toBeLessThanOrEqual(MAX_CONNECTIONS);
  });
});

describe('one caller that waits without end', () => {
  it('is told to come back, and answered early where another one needs the place', async () => {
    const id = await submit();
    const says = `GET /api/v1/jobs/${id}?wait=30 HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const greedy = Array.from({ length: MAX_WAITERS + 20 }, () => attack(says));
    const answered = (code: number): RawClient[] => greedy.filter(({ text }) => status(text()) === code);
    await until('what is too much is refused', () => answered(503).length === 20);
    expect(answered(503)[0]?.text()).toMatch(/^retry-after: \d+/im);
    expect(answered(200)).toEqual([]);

    const modest = attack(says, '127.0.0.5');

    await until('one has made room', () => answered(200).length === 1);
    expect(modest.text()).toBe('');
    expect(api.polls.waiters).toBe(MAX_WAITERS);
    await api.post(`/api/v1/jobs/${id}/cancel`);
    await until('it is told', () => status(modest.text()) === 200);
    await until('nobody waits', () => api.polls.waiters === 0);
  });
});

describe('a client that is slow', () => {
  it('is cut off when its headers or its body do not arrive, or nothing at all', async () => {
    const head = 'POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const silent = attack();
    const headers = attack();
    const chunked = attack(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    drip(headers, `${head}${'X-A: b\r\n'.repeat(10_000)}`, 100);
    drip(chunked, '1\r\n \r\n'.repeat(10_000), 50);

    await Promise.all([silent, headers].map(({ closed }) => closed));

    expect(status(headers.text())).toBe(408);
    expect(chunked.isOpen()).toBe(true); // a whole request has more time
  });

  it('is closed when it was told that it makes no request, and does not end its side', async () => {
    const client = connect({ port, host: '127.0.0.1', localAddress: ATTACKER, allowHalfOpen: true });
    client.on('error', () => undefined).pause();
    client.write('nonsense\r\n\r\n');
    await until('it is connected', () => api.service.connections >= 2);

    const since = systemClock.monotonicMs();
    await until('it is closed', () => api.service.connections === 1);
    client.destroy();
    expect(systemClock.monotonicMs() - since).toBeLessThan(LINGERS_MS);
  });

  it('is cut off, by itself, when it does not take its answer', async () => {
    const output = 'x'.repeat(200_000);
    const session = await api.join('worker-2');
    const id = await submit();
    await api.succeed(await api.claim(session), { stdout: output });
    const request = `GET /api/v1/jobs/${id}/logs HTTP/1.1\r\nHost: localhost\r\n\r\n`;

    const stalled = connect({ port, host: '127.0.0.1', localAddress: ATTACKER });
    stalled.on('error', () => undefined).pause();
    stalled.write(request.repeat(49));
    const slow = connect({ port, host: '127.0.0.1', localAddress: ATTACKER });
    slow.on('error', () => undefined).pause();
    slow.write(request.repeat(49));
    const reading = setInterval(() => void slow.read(1), 100);
    await until('both wait', () => api.service.connections >= 3);

    await until('both are cut off', () => api.service.connections === 1);
    clearInterval(reading);
    [stalled, slow].forEach((socket) => socket.destroy());
  });

  it('that sends thousands of requests at once is answered some, and cut off', async () => {
    const client = attack('GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(5_000));

    const text = await client.closed;

    const answers = [...text.matchAll(/HTTP\/1\.1 \d+/g)].map(String);
    // The refusal itself may be lost: the connection is closed on what else was sent.
    expect(answers.length).toBeLessThanOrEqual(MAX_PIPELINED + 1);
    expect(new Set(answers.slice(0, MAX_PIPELINED))).toEqual(new Set(['HTTP/1.1 200']));
  });
});
