import { OrchestratorError } from '@orchestrator/core';

export interface ListenTarget {
  /** As in "http": its keys are `http.host` and `http.port`. */
  section: 'http' | 'grpc';
  host: string;
  port: number;
}

/** A port that cannot be listened on, told by the keys that say which. */
export class ListenError extends OrchestratorError {
  constructor({ section, host, port }: ListenTarget, cause: unknown) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const why =
      Object.entries({
        EADDRINUSE: `another program listens there already: expected a free port (${section}.port, 0 = any free one)`,
        EACCES: `this user may not listen there: expected a port from 1024 on (${section}.port)`,
        EADDRNOTAVAIL: `this machine has no such address: expected one of its own (${section}.host)`,
        ENOTFOUND: `there is no such name: expected an address of this machine (${section}.host)`,
      }).find(([code]) => text.includes(code))?.[1] ?? text;
    super('CANNOT_LISTEN', `${section} cannot listen on ${where}: ${why}`, { cause });
  }
}
