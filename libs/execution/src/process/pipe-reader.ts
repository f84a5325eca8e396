import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net';
import type { Readable } from 'node:stream';

/** All reads go through one buffer: what is to be kept is copied at once. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** Reads a pipe to its end. The chunk is valid only during the call. */
export function readPipe(fd: number, onData: (chunk: Buffer) => void): Readable {
  const options: SocketConstructorOpts & Pick<ConnectOpts, 'onread'> = {
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer: READ_BUFFER,
      callback: (length) => {
        onData(READ_BUFFER.subarray(0, length));
        return true;
      },
    },
  };
  // Its command may close what it writes to.
  return new Socket(options).on('error', () => undefined).resume();
}
