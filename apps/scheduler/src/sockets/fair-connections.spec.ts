import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

import { ManualClock } from '@orchestrator/testing';
import { silentLogger } from '@orchestrator/telemetry';

import { addressGroup } from './address-group.js';
import { connectionLimit } from './connection-limit.js';
import { type Connection, FairConnections } from './fair-connections.js';

const LIMIT = 128;

/** What of a socket counts here. */
class End extends EventEmitter {
  destroyed = false;
  constructor(
    readonly remoteAddress: string,
    readonly remotePort: number,
  ) {
    super();
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

let ports = 0;
let connections: FairConnections;
beforeEach(() => {
  connections = new FairConnections({ name: 'test', limit: LIMIT, clock: new ManualClock(), logger: silentLogger });
});

function open(address: string, isBusy = false): Connection {
  const connection = connections.add(new End(address, (ports += 1)) as unknown as Socket);
  if (isBusy && !connection.socket.destroyed) {
    connections.begun(connection);
  }
  return connection;
}

const isOpen = ({ socket }: Connection): boolean => !socket.destroyed;

describe('connections beyond the limit', () => {
  it('cost the address with the most its longest idle one', () => {
    const others = Array.from({ length: 20 }, (_, index) => open(`10.0.1.${index}`));
    const many = Array.from({ length: LIMIT - 20 }, () => open('10.0.0.1'));
    const [first, second, third] = many;
    connections.begun(first!);
    connections.ended(first!);
    connections.begun(second!);

    open('10.0.2.1');

    expect(many.filter((one) => !isOpen(one))).toEqual([third]);
    expect(others.every(isOpen)).toBe(true);
    expect(connections.size).toBe(LIMIT);
  });

  it('are closed themselves where all of their own address are busy, as behind a load balancer', () => {
    const busy = Array.from({ length: LIMIT }, () => open('10.0.0.1', true));

    expect(isOpen(open('10.0.0.1'))).toBe(false);
    expect(busy.every(isOpen)).toBe(true);
  });

  it('cost who is busy on more than half of all the newest one, for an address with next to none and no other', () => {
    const busy = Array.from({ length: LIMIT }, () => open('10.0.0.1', true));

    const few = [open('10.0.0.2', true), open('10.0.0.2', true)];
    const third = open('10.0.0.2');

    expect([...few.map(isOpen), isOpen(third)]).toEqual([true, true, false]);
    expect(busy.filter((one) => !isOpen(one))).toEqual(busy.slice(-2));
  });

  it('cost no address that has fewer, when its own have ended meanwhile', () => {
    const many = Array.from({ length: 100 }, () => open('10.0.0.1'));
    const fewer = Array.from({ length: LIMIT - 100 }, () => open('10.0.0.2'));
    many.slice(0, 90).forEach(({ socket }) => socket.destroy());
    Array.from({ length: 90 }, () => open('10.0.0.3'));

    open('10.0.0.2');

    expect(fewer.every(isOpen)).toBe(true);
    expect(many.slice(90).every(isOpen)).toBe(true);
    expect(connections.size).toBe(LIMIT);
  });
});

describe('an address', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    [undefined, ''],
  ])('stands for all of its network, of which one has as many as it likes: %s', (address, group) => {
    expect(addressGroup(address)).toBe(group);
  });
});

describe('the number of connections', () => {
  it.each([
    [200, 50],
    [1_024, 462],
    [1_048_576, 10_000],
    [64, 16],
  ])('leaves descriptors for Redis: of %p there are %i for each port', (files, limit) => {
    expect(connectionLimit(files)).toBe(limit);
  });

  it('is that of this process', () => {
    expect(connectionLimit()).toBeGreaterThanOrEqual(16);
  });
});
