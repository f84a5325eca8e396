import { type HttpAnswer, HttpConnection } from './http-connection.js';

/** The server closes what nobody has used for some seconds: such a one is not used again. */
const IDLE_MS = 2_000;

/** As many connections as are in use at once, each kept. */
export class HttpPool {
  readonly #url: URL;
  /** The one that was used last is the last. */
  readonly #idle: { connection: HttpConnection; sinceMs: number }[] = [];
  readonly #all = new Set<HttpConnection>();

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** @throws {Error} when the answer's status is not the one expected. */
  async request(method: string, path: string, expected: number, body?: string): Promise<HttpAnswer> {
    const connection = this.#take() ?? this.#open();
    const answer = await connection.request(method, path, body);
    this.#idle.push({ connection, sinceMs: performance.now() });
    if (answer.status !== expected) {
      throw new Error(`${method} ${path} answered ${answer.status}, not ${expected}: ${answer.body.slice(0, 500)}`);
    }
    return answer;
  }

  close(): void {
    this.#all.forEach((connection) => connection.close());
  }

  #take(): HttpConnection | undefined {
    const last = this.#idle.pop();
    if (last !== undefined && last.connection.isOpen && performance.now() - last.sinceMs < IDLE_MS) {
      return last.connection;
    }
    // What lies below it has been idle for longer.
    [last, ...this.#idle.splice(0)].forEach((each) => each && this.#drop(each.connection));
    return undefined;
  }

  #drop(connection: HttpConnection): void {
    connection.close();
    this.#all.delete(connection);
  }

  #open(): HttpConnection {
    const connection = new HttpConnection(this.#url);
    this.#all.add(connection);
    return connection;
  }
}
