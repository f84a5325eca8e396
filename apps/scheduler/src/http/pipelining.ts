import type { Socket } from 'node:net';

import type { FastifyInstance } from 'fastify';

import { ProblemError } from './problem.js';

/** Requests that may be under way on one connection. Node starts all that arrive together, a thousand in 64 KiB. */
export const MAX_PIPELINED = 50;

/** What is under way on one connection. */
class Line {
  underWay = 0;
  readonly ended = (): void => {
    this.underWay -= 1;
  };
}

/** One connection does not make the server work for it without end: what goes beyond is refused, and the connection ended. */
export function limitPipelining(app: FastifyInstance): void {
  const lines = new WeakMap<Socket, Line>();
  app.addHook('onRequest', ({ raw: { socket } }, reply, done) => {
    let line = lines.get(socket);
    if (line === undefined) {
      line = new Line();
      lines.set(socket, line);
    }
    line.underWay += 1;
    // It closes once, so nothing has to be taken off again.
    reply.raw.on('close', line.ended);
    if (line.underWay > MAX_PIPELINED) {
      void reply.header('connection', 'close');
      throw new ProblemError('overloaded', `${MAX_PIPELINED} requests of this connection are under way already`);
    }
    done();
  });
}
