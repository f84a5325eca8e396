import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { HttpConnection } from './http-connection.js';
import { HttpPool } from './http-pool.js';

let server: Server;
let pool: HttpPool;
let connections = 0;

beforeEach(async () => {
  connections = 0;
  server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      if (request.url === '/never') {
        server.closeAllConnections();
        return;
      }
      const body = `${request.method} ${request.url} ${text}`;
      response.writeHead(request.url === '/no' ? 503 : 200, { 'content-length': Buffer.byteLength(body) });
      // In pieces: an answer may arrive so.
      response.write(body.slice(0, 3));
      setImmediate(() => response.end(body.slice(3)));
    });
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  pool = new HttpPool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterEach(async () => {
  pool.close();
  await new Promise((resolve) => server.close(resolve));
});

describe('HttpPool', () => {
  it('sends a request and reads its answer, which may come in pieces', async () => {
    expect(await pool.request('POST', '/jobs', 200, 'x'.repeat(100_000))).toEqual({
      status: 200,
      body: `POST /jobs ${'x'.repeat(100_000)}`,
    });
  });

  it('keeps its connections, as many as requests were open at once', async () => {
    for (let turn = 0; turn < 3; turn += 1) {
      const answers = await Promise.all(['/a', '/b'].map((path) => pool.request('GET', path, 200)));

      expect(answers.map(({ body }) => body.trim())).toEqual(['GET /a', 'GET /b']);
    }
    expect(connections).toBe(2);
  });

  it('refuses another status than the one expected, with its text', async () => {
    await expect(pool.request('GET', '/no', 200)).rejects.toThrow(/GET \/no answered 503, not 200: GET \/no/);
  });

  it('knows when the server has closed a connection that nobody uses', async () => {
    const connection = new HttpConnection(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
    await connection.request('GET', '/a');
    expect(connection.isOpen).toBe(true);

    server.closeAllConnections();
    while (connection.isOpen) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it('fails what is open when the server goes away', async () => {
    await expect(pool.request('GET', '/never', 200)).rejects.toThrow(/closed the connection|ECONNRESET/);
  });
});
