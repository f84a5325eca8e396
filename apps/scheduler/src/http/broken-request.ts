import type { Socket } from 'node:net';

import { ProblemError, type ProblemKind, PROBLEMS } from './problem.js';

/** Of Node's HTTP parser. Any other is one of the connection, as of a TLS handshake: what is written there is never sent. */
const OF_HTTP = /^(HPE|ERR_HTTP)_/;

/** What is not even HTTP never becomes a request: it is answered on the socket, as a problem like everything else. */
export function answerBrokenRequest(error: { code: string }, socket: Socket): void {
  if (!OF_HTTP.test(error.code) || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [kind, detail] = toProblem(error.code);
  const { status, title } = PROBLEMS[kind];
  const body = JSON.stringify(new ProblemError(kind, detail).toProblem());
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function toProblem(code: string): [ProblemKind, string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['headers-too-large', 'the headers have more than 16 KiB'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['request-timeout', 'the request was not complete in time'];
    default:
      return ['invalid-request', 'this is not HTTP/1.1'];
  }
}
