import { request, type RequestOptions as TlsOptions } from 'node:https';

import { type Answer, Api, type RequestOptions } from './api.js';

/** The API over TLS, trusting one authority: fetch trusts only what Node was started with. */
export class TlsApi extends Api {
  constructor(
    readonly port: number,
    readonly ca: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(`https://127.0.0.1:${port}`, headers);
  }

  protected get trust(): object {
    return { ca: this.ca };
  }

  override request(
    method: string,
    path: string,
    body?: unknown,
    { headers = {}, withinMs = 35_000 }: RequestOptions = {},
  ): Promise<Answer> {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const options: TlsOptions = {
      host: '127.0.0.1',
      port: this.port,
      path,
      method,
      ...this.trust,
      agent: false,
      headers: { ...type, ...this.headers, ...headers },
      signal: AbortSignal.timeout(withinMs),
    };
    return new Promise((resolve, reject) => {
      const asked = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: new Headers(response.headersDistinct as unknown as Record<string, string>),
            text: Buffer.concat(chunks).toString(),
          }),
        );
      });
      asked.once('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
