import { isIPv6, type Socket } from 'node:net';

/** Of an IPv6 address whoever has one has 2^64 of them. */
const NETWORK_PARTS = 4;

/** Whose connection it is, as far as can be told: an IPv4 address, or the network of an IPv6 address. */
export function addressGroup(address: string | undefined): string {
  const plain = (address ?? '').replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) {
    return plain;
  }
  const [head = '', tail] = plain.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].slice(0, NETWORK_PARTS).join(':');
}

/** Names the other end of a connection, as grpc-js does: without brackets, also for IPv6. */
export function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
