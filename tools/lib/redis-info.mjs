import net from 'node:net';

const ANSWER_WITHIN_MS = 1_000;

/**
 * What the Redis on a loopback port says of itself (`INFO server persistence`, as an object), or undefined when none
 * answers. No client library: tools run before anything is installed.
 */
export function redisInfo(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    let text = '';
    const end = (info) => {
      socket.destroy();
      resolve(info);
    };
    socket.setTimeout(ANSWER_WITHIN_MS, () => end(undefined));
    socket.once('error', () => end(undefined));
    socket.once('connect', () => socket.write('INFO everything\r\n'));
    socket.once('close', () => end(undefined));
    socket.on('data', (chunk) => {
      text += chunk;
      const head = /^\$(\d+)\r\n/.exec(text);
      if (head === null) {
        return text.startsWith('-') ? end(undefined) : undefined;
      }
      if (Buffer.byteLength(text) >= head[0].length + Number(head[1])) {
        end(Object.fromEntries([...text.matchAll(/^(\w+):(.*)\r$/gm)].map(([, key, value]) => [key, value])));
      }
    });
  });
}
