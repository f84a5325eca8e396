import { systemClock } from '@orchestrator/core';

import { type ApiBench, startApi } from '../testing/a-server.js';
import { Neighbour, rawClient } from '../testing/raw-client.js';

const LIMIT_MS = 10_000;
const BODY = '{"name":"a","command":"true"}';
const SMUGGLED = 'GET /api/v1/workers HTTP/1.1\r\nHost: localhost\r\n\r\n';

let api: ApiBench;
let port: number;
let neighbour: Neighbour;
beforeAll(async () => {
  api = await startApi();
  port = Number(new URL(api.url).port);
  neighbour = new Neighbour(api.url);
});
afterAll(async () => {
  const { troubles, answers } = await neighbour.stop();
  expect([troubles, answers > 0]).toEqual([[], true]);
  // Nothing of it was taken for a job.
  expect(await api.store.pools()).toEqual([]);
  await api.stop();
});

/** The statuses of all answers, until the server closes the connection or has nothing more to say. */
async function statuses(says: string | Buffer): Promise<string[]> {
  const client = rawClient(port, { says });
  const limit = systemClock.monotonicMs() + LIMIT_MS;
  const found = (): string[] => [...client.text().matchAll(/HTTP\/1\.1 \d+/g)].map(([text]) => text.slice(9));
  while (client.isOpen() && found().length === 0 && systemClock.monotonicMs() < limit) {
    await new Promise<void>((resolve) => systemClock.setTimer(5, resolve));
  }
  // What would follow, follows at once.
  await new Promise<void>((resolve) => systemClock.setTimer(30, resolve));
  client.socket.destroy();
  return found();
}

const get = (target: string, ...headers: string[]): string =>
  [`GET ${target} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');
const post = (...headers: string[]): string =>
  ['POST /api/v1/jobs HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', ...headers, '', ''].join('\r\n');

describe('a request that is too large', () => {
  it.each<[string, string, string]>([
    ['a header of 64 kB', get('/healthz', `X-Long: ${'x'.repeat(64_000)}`), '431'],
    ['5,000 headers', get('/healthz', ...Array.from({ length: 5_000 }, (_, index) => `X-${index}: y`)), '431'],
    ['an address of 64 kB', get(`/${'x'.repeat(64_000)}`), '431'],
    ['a query of 15 kB', get(`/api/v1/jobs?x=${'y'.repeat(15_000)}`), '400'],
    ['a parameter of 10 kB', get(`/api/v1/jobs/${'y'.repeat(10_000)}`), '400'],
    ['a body of 2 MB', post('Content-Length: 2000000'), '413'],
  ])('is refused: %s', async (_what, says, status) => {
    expect(await statuses(says)).toEqual([status]);
  });
});

describe('a request whose length can be read in two ways', () => {
  it.each<[string, string]>([
    [
      'Content-Length and Transfer-Encoding',
      `${post(`Content-Length: ${BODY.length}`, 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`,
    ],
    ['two Content-Lengths', `${post('Content-Length: 5', 'Content-Length: 6')}${BODY}`],
    ['a list of them', `${post('Content-Length: 5, 5')}${BODY}`],
    ['a negative one', `${post('Content-Length: -1')}${BODY}`],
    ['one with a sign', `${post('Content-Length: +5')}${BODY}`],
    ['one in hex', `${post('Content-Length: 0x5')}${BODY}`],
    ['one that is no safe number', post('Content-Length: 99999999999999999999')],
    ['a coding that is not the last', `${post('Transfer-Encoding: chunked, identity')}${BODY}`],
    ['a coding that is none', `${post('Transfer-Encoding: xchunked')}${BODY}`],
    ['a blank before the colon', `${post('Content-Length : 5')}${BODY}`],
    ['a folded header', `${post('Transfer-Encoding:\r\n chunked')}0\r\n\r\n${SMUGGLED}`],
    ['a line end that is only LF', 'POST /api/v1/jobs HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello'],
    ['a chunk of no length', `${post('Transfer-Encoding: chunked')}xyz\r\n${SMUGGLED}`],
    ['a chunk that is longer than said', `${post('Transfer-Encoding: chunked')}2\r\nabcdef\r\n0\r\n\r\n${SMUGGLED}`],
  ])('is refused, its connection ended: %s', async (_what, says) => {
    expect((await statuses(says)).map((status) => status[0])).toEqual(['4']);
  });
});

describe('a request that is not what is spoken here', () => {
  it.each<[string, string | Buffer, string[]]>([
    ['HTTP/0.9', 'GET /healthz\r\n\r\n', ['403']],
    ['HTTP/1.0 without Host', 'GET /healthz HTTP/1.0\r\n\r\n', ['403']],
    ['HTTP/1.1 without Host', 'GET /healthz HTTP/1.1\r\n\r\n', ['400']],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ['400']],
    ['HTTP/3.7', 'GET /healthz HTTP/3.7\r\nHost: localhost\r\n\r\n', ['400']],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex'), ['400']],
    ['NUL in the address', get('/api/v1/jobs/\0'), ['400']],
    ['NUL, encoded', get('/api/v1/jobs/%00'), ['404']],
    ['NUL in a header', get('/healthz', 'X-A: a\0b'), ['400']],
    ['a bare CR in a header', get('/healthz', 'X-A: a\rb'), ['400']],
    ['the address of another server', get('http://evil.example/healthz'), ['400']],
    ['an address without a path', get('//evil.example'), ['404']],
    ['a way up', get('/api/v1/../../healthz'), ['404']],
    ['an asterisk', get('*'), ['400']],
    ['CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n', []],
    ['TRACE', 'TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', ['405']],
    ['a method that there is not', 'HACK /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', ['400']],
    ['an upgrade', get('/healthz', 'Connection: Upgrade', 'Upgrade: websocket'), ['200']],
    ['an upgrade to HTTP/2', get('/healthz', 'Connection: Upgrade', 'Upgrade: h2c'), ['200']],
    ['an expectation that nobody meets', `${post('Expect: 200-ok', 'Content-Length: 5')}`, ['417']],
    ['100-continue for what is refused', post('Expect: 100-continue', 'Content-Length: 99999999'), ['100', '413']],
  ])('is answered, or its connection closed, and nothing more: %s', async (_what, says, expected) => {
    expect(await statuses(says)).toEqual(expected);
  });
});

describe('a Host that is not ours', () => {
  it.each([
    'localhost.',
    '127.0.0.1.',
    'user@localhost',
    'localhost@evil.example',
    '2130706433',
    '0x7f.1',
    '127.1',
    '0177.0.0.1',
    '[::ffff:127.0.0.1]',
    '[0:0:0:0:0:0:0:1]',
    '::1',
    'localhost:80:80',
    'localhost/',
    'localhost evil.example',
    '',
  ])('is refused: "%s"', async (host) => {
    const answer = await statuses(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

    expect(answer).toEqual(['403']);
  });

  it('is not hidden behind a second one, nor behind what a proxy would say', async () => {
    const two = 'GET /healthz HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n';
    const forwarded = ['X-Forwarded-Host: localhost', 'Forwarded: host=localhost', 'X-Forwarded-For: 127.0.0.1'];

    expect(await statuses(two)).toEqual(['400']);
    expect(await statuses(`GET /healthz HTTP/1.1\r\nHost: evil.example\r\n${forwarded.join('\r\n')}\r\n\r\n`)).toEqual([
      '403',
    ]);
  });

  it('is refused also where the one of ours comes first and another follows', async () => {
    const answer = await statuses('GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n');

    expect(answer).toEqual(['400']);
  });
});

describe('a form on another page', () => {
  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'submits nothing: %s',
    async (type) => {
      const headers = [
        'POST /api/v1/jobs HTTP/1.1',
        'Host: localhost',
        'Origin: null',
        'Sec-Fetch-Site: cross-site',
        'Sec-Fetch-Mode: no-cors',
        `Content-Type: ${type}`,
        `Content-Length: ${BODY.length}`,
      ];

      expect(await statuses(`${headers.join('\r\n')}\r\n\r\n${BODY}`)).toEqual(['403']);
    },
  );
});
