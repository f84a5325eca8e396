import { request } from 'node:http';

import type { LedgerPage } from '../ledger.js';

/** The socket on which a worker's handlers tell what they executed. */
export class Ear {
  constructor(readonly path: string) {}

  ledger(): Promise<LedgerPage> {
    return this.#ask('GET', '/ledger');
  }

  gates(): Promise<number> {
    return this.#ask('GET', '/gates');
  }

  async reset(): Promise<void> {
    await this.#ask('POST', '/reset');
  }

  async open(): Promise<void> {
    await this.#ask('POST', '/open');
  }

  #ask<T>(method: string, path: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: this.path, method, path }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve(JSON.parse(text) as T));
      });
      asked.once('error', reject);
      asked.end();
    });
  }
}
