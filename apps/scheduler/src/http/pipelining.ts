import type { Socket } from 'node:net';

import type { FastifyInstance } from 'fastify';

import { ProblemError } from './problem.js';

/** Requests that may be under way on one connection. Node starts all that arrive together, a thousand in 64 KiB. */
export const MAX_PIPELINED = 50;

/** One connection does not make the server work for it without end: what goes beyond is refused, and the connection ended. */
export function limitPipelining(app: FastifyInstance): void {
  const underWay = new WeakMap<Socket, number>();
  const change = (socket: Socket, by: number): number => {
    const now = (underWay.get(socket) ?? 0) + by;
    underWay.set(socket, now);
    return now;
  };
  app.addHook('onRequest', ({ raw: { socket } }, reply, done) => {
    const now = change(socket, 1);
    reply.raw.once('close', () => change(socket, -1));
    if (now > MAX_PIPELINED) {
      void reply.header('connection', 'close');
      throw new ProblemError('overloaded', `${MAX_PIPELINED} requests of this connection are under way already`);
    }
    done();
  });
}
