import { type HttpAnswer, HttpConnection } from './http-connection.js';

/** As many connections as are in use at once, each kept. */
export class HttpPool {
  readonly #url: URL;
  readonly #idle: HttpConnection[] = [];
  readonly #all = new Set<HttpConnection>();

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** @throws {Error} when the answer's status is not the one expected. */
  async request(method: string, path: string, expected: number, body?: string): Promise<HttpAnswer> {
    const connection = this.#idle.pop() ?? this.#open();
    const answer = await connection.request(method, path, body);
    this.#idle.push(connection);
    if (answer.status !== expected) {
      throw new Error(`${method} ${path} answered ${answer.status}, not ${expected}: ${answer.body.slice(0, 500)}`);
    }
    return answer;
  }

  close(): void {
    this.#all.forEach((connection) => connection.close());
  }

  #open(): HttpConnection {
    const connection = new HttpConnection(this.#url);
    this.#all.add(connection);
    return connection;
  }
}
