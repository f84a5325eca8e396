import { X509Certificate } from 'node:crypto';
import { Agent, request, type RequestOptions } from 'node:https';
import { connect as connectPlain } from 'node:net';
import type { TLSSocket } from 'node:tls';

import { type ApiBench, startApi } from '../testing/a-server.js';
import { TlsBench } from '../testing/tls-bench.js';

const GARBAGE_ANSWERED_WITHIN_MS = 5_000;
const BEGINNING_OF_A_CLIENT_HELLO = Buffer.from('160301020001', 'hex');

let tls: TlsBench;
let api: ApiBench;
let agent: Agent;

interface Seen {
  status: number;
  text: string;
  version: string | null;
  serial: string;
  reused: boolean;
}

function get(path: string, options: RequestOptions = {}): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const port = Number(new URL(api.url).port);
    const asked = request({ host: '127.0.0.1', port, path, ca: tls.authority.cert, agent, ...options }, (response) => {
      const socket = response.socket as TLSSocket;
      const { raw } = socket.getPeerCertificate();
      const seen = { version: socket.getProtocol(), serial: new X509Certificate(raw).serialNumber };
      let text = '';
      response.on('data', (data: Buffer) => (text += data.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text, ...seen, reused: asked.reusedSocket }),
      );
    });
    asked.once('error', reject).end();
  });
}

describe('the REST API over TLS', () => {
  beforeEach(async () => {
    tls = new TlsBench();
    agent = new Agent({ keepAlive: true });
    api = await startApi({ http: { tls: tls.open({ asksWorkers: true }) } });
  });
  afterEach(async () => {
    agent.destroy();
    await api.stop();
    tls.stop();
  });

  it('answers over TLS 1.2 and newer, and asks nobody for a certificate', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200, version: 'TLSv1.3' });
    expect(await get('/healthz', { agent: false, maxVersion: 'TLSv1.2' })).toMatchObject({ version: 'TLSv1.2' });
    const old = { agent: false, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(get('/healthz', old)).rejects.toThrow(/alert protocol version/);
    expect((await get('/metrics')).text).toContain('orchestrator_tls_certificate_expires_seconds');
  });

  it('closes a connection that speaks plain text, with nothing that it could take for an answer of the API', async () => {
    await expect(fetch(`${api.url}/healthz`)).rejects.toThrow('fetch failed');
    const socket = connectPlain(Number(new URL(api.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('it stays open')), GARBAGE_ANSWERED_WITHIN_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });

    expect(text).not.toContain('200');
    expect(await get('/healthz')).toMatchObject({ status: 200 });
  });

  it('closes a connection that does not finish its handshake', async () => {
    const closed = new Promise<void>((resolve) => {
      const socket = connectPlain(Number(new URL(api.url).port), '127.0.0.1');
      socket.on('error', () => undefined).once('close', () => resolve());
      socket.resume().write(BEGINNING_OF_A_CLIENT_HELLO);
    });

    await closed;
    await get('/healthz');
  });

  it('gives a new certificate to new connections when both of its files are there; open ones live on', async () => {
    const before = await get('/healthz');
    const next = tls.issue();
    tls.write({ cert: next.cert });
    await tls.files.runOnce();
    const half = await get('/healthz', { agent: false });
    tls.write({ key: next.key });
    await tls.files.runOnce();

    expect(half.serial).toBe(before.serial);
    expect(await get('/healthz')).toMatchObject({ reused: true, serial: before.serial });
    expect(await get('/healthz', { agent: false })).toMatchObject({
      status: 200,
      serial: new X509Certificate(next.cert).serialNumber,
    });
  });

  it('takes the origin of a page of its own for its own', async () => {
    const { port } = new URL(api.url);
    const own = { headers: { origin: `https://127.0.0.1:${port}` } };
    const foreign = { headers: { origin: 'https://elsewhere.example' } };

    expect(await get('/api/v1/workers', own)).toMatchObject({ status: 200 });
    expect(await get('/api/v1/workers', foreign)).toMatchObject({ status: 403 });
  });
});
