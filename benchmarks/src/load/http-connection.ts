import { connect, type Socket } from 'node:net';

export interface HttpAnswer {
  status: number;
  body: string;
}

interface Waiting {
  resolve: (answer: HttpAnswer) => void;
  reject: (error: Error) => void;
}

const HEAD_END = '\r\n\r\n';

/**
 * One kept-alive connection, one request at a time. It understands what our servers answer (a length, no chunks) and
 * nothing else: a client that costs little, since it shares its cores with what is measured.
 */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #received = '';
  #waiting: Waiting | undefined;
  #isOpen = true;

  constructor(url: URL) {
    this.#host = url.host;
    this.#socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => this.#accept(text));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  request(method: string, path: string, body = ''): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      const head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n`;
      const about =
        body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
      this.#socket.write(`${head}${about}\r\n${body}`);
    });
  }

  close(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  #accept(text: string): void {
    this.#received = this.#received === '' ? text : this.#received + text;
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0) {
      return;
    }
    const head = this.#received.slice(0, end);
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? NaN);
    if (Number.isNaN(length)) {
      this.#fail(new Error(`an answer without content-length:\n${head}`));
    } else if (this.#received.length >= end + HEAD_END.length + length) {
      const body = this.#received.slice(end + HEAD_END.length);
      const waiting = this.#waiting;
      this.#received = '';
      this.#waiting = undefined;
      waiting?.resolve({ status: Number(head.slice(9, 12)), body });
    }
  }

  #fail(error: Error): void {
    this.#isOpen = false;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}
