import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

import { createLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { peerOf } from '../sockets/address-group.js';
import { memoryStream } from '../testing/memory-stream.js';
import { PeerSockets } from './peer-sockets.js';

const REFUSED_CALLS = 2;

describe('PeerSockets', () => {
  const clock = new ManualClock();
  const out = memoryStream();
  let server: Server;
  let sockets: PeerSockets;
  beforeAll(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    sockets = new PeerSockets({
      isOurPort: (one) => one === port,
      limit: 100,
      clock,
      logger: createLogger({ level: 'info', format: 'json', stream: out.stream }),
      limits: { idleMs: 60_000, refusedCalls: REFUSED_CALLS },
    });
    sockets.start();
  });
  afterAll(() => {
    sockets.stop();
    server.close();
  });

  /** Connects, is refused too often, and is closed. */
  const comeAndGo = async (): Promise<void> => {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const closed = new Promise((resolve) => client.on('error', () => undefined).once('close', resolve));
    const peer = peerOf((await accepted)[0]);
    for (let calls = 0; calls <= REFUSED_CALLS; calls += 1) {
      expect(sockets.of(peer)).toBeDefined();
      sockets.refused(peer);
    }
    client.resume();
    await closed;
  };

  it('closes each connection whose calls are refused, and says so now and then, however many come', async () => {
    for (let index = 0; index < 20; index += 1) {
      await comeAndGo();
    }
    clock.advance(10_001);
    await comeAndGo();

    const told = out.lines().filter(({ message }) => String(message).includes('their calls are refused'));
    expect(told.map(({ closed }) => closed)).toEqual([1, 20]);
    expect(sockets.size).toBe(0);
  });
});
