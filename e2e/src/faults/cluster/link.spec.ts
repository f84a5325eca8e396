import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

import { waitUntil } from '../../harness/wait.js';
import { Link } from './link.js';

/** Long enough for loopback to deliver what is to be delivered. */
const NOTHING_WITHIN_MS = 150;
const SOON_MS = 5_000;

/** An end of a connection that remembers what it received. */
class End {
  received = '';
  closed = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (data) => (this.received += data.toString()));
    socket.on('close', () => (this.closed = true));
    socket.on('error', () => undefined);
  }

  async has(text: string): Promise<void> {
    await waitUntil(`"${text}" arrives, there is "${this.received}"`, () => this.received === text, {
      withinMs: SOON_MS,
    });
  }

  async stays(text: string): Promise<void> {
    await expect(
      waitUntil('something else arrives', () => this.received !== text, { withinMs: NOTHING_WITHIN_MS, everyMs: 10 }),
    ).rejects.toThrow('in vain');
  }
}

describe('a link between two programs', () => {
  let server: Server;
  let link: Link;
  let client: End;
  let peer: End;

  beforeEach(async () => {
    const accepted: End[] = [];
    server = createServer((socket) => accepted.push(new End(socket))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    link = await Link.open('client->server', (server.address() as { port: number }).port);
    client = new End(connect(link.port, '127.0.0.1'));
    peer = await waitUntil('the connection is through', () => accepted[0], { withinMs: SOON_MS });
  });

  afterEach(async () => {
    client.socket.destroy();
    await link.close();
    server.close();
  });

  it('passes bytes in both directions, and the end of a connection', async () => {
    client.socket.write('up');
    peer.socket.write('down');
    await peer.has('up');
    await client.has('down');
    client.socket.end();
    await waitUntil('the end arrives', () => peer.closed, { withinMs: SOON_MS });
  });

  it('drops one direction in silence while the other passes, also the end of the connection', async () => {
    link.set({ mode: 'drop' }, ['up']);
    client.socket.write('lost');
    peer.socket.write('down');
    await client.has('down');
    await peer.stays('');
    client.socket.destroy();
    await peer.stays('');
    expect(peer.closed).toBe(false);
  });

  it('holds bytes and gives them on in their order when it passes again', async () => {
    client.socket.write('1');
    await peer.has('1');
    link.set({ mode: 'hold' });
    client.socket.write('2');
    await peer.stays('1');
    link.heal();
    client.socket.write('3');
    await peer.has('123');
  });

  it('delays bytes by so long, in their order', async () => {
    link.set({ mode: 'delay', ms: 300 });
    const since = performance.now();
    client.socket.write('1');
    client.socket.write('2');
    await peer.has('12');
    expect(performance.now() - since).toBeGreaterThanOrEqual(290);
  });

  it('lets so many bytes a second through', async () => {
    link.set({ mode: 'rate', bytesPerSecond: 1_000 });
    const since = performance.now();
    client.socket.write('x'.repeat(500));
    await peer.has('x'.repeat(500));
    expect(performance.now() - since).toBeGreaterThanOrEqual(400);
  });

  it('holds at the moment at which a text is sent, before any of it has passed', async () => {
    const sprung = link.trap('verdict');
    client.socket.write('before');
    await peer.has('before');
    client.socket.write('my verdict');
    await sprung;
    await peer.stays('before');
    link.heal();
    await peer.has('beforemy verdict');
  });

  it('resets what is open, and refuses what comes when it is told to', async () => {
    link.cut({ refuse: true });
    await waitUntil('both ends are closed', () => client.closed && peer.closed, { withinMs: SOON_MS });
    const again = new End(connect(link.port, '127.0.0.1'));
    await waitUntil('the next one is refused', () => again.closed, { withinMs: SOON_MS });
  });
});
