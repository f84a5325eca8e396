import type { IncomingMessage, Server, ServerResponse } from 'node:http';

import type { FastifyInstance } from 'fastify';

/** Called again with what it threw: as Fastify does with a hook that throws, that is one request's trouble and no other's. */
type Go = (error?: Error) => void;
type Run = () => void;

/** When what runs now has ended, before anything else is read. */
const endOfTick = (run: Run): void => process.nextTick(run);

/** A point on the way of requests: who comes to it in one turn of the event loop goes on together with the others. */
class Step {
  readonly #later: (run: Run) => void;
  #waiting: Go[] = [];

  constructor(later: (run: Run) => void) {
    this.#later = later;
  }

  join(go: Go): void {
    if (this.#waiting.push(go) === 1) {
      this.#later(() => {
        const all = this.#waiting;
        this.#waiting = [];
        all.forEach(goOn);
      });
    }
  }
}

function goOn(go: Go): void {
  try {
    go();
  } catch (error) {
    go(error as Error);
  }
}

/**
 * Requests that are there at the same time go through the server in step: one part of the way all of them, then the next
 * part. All of the way is more code than a core's caches hold, so one request after the other had to fetch it anew each,
 * which was a quarter of the time. One that is alone waits for nobody, only for the end of the turn.
 *
 * To be called before the hooks of others, and `answerInStep` after them.
 */
export function goInStep(app: FastifyInstance): void {
  handleInStep(app.server);
  const toValidation = new Step(endOfTick);
  app.addHook('preValidation', (_request, _reply, done) => toValidation.join(done));
  const toHandler = new Step(endOfTick);
  app.addHook('preHandler', (_request, _reply, done) => toHandler.join(done));
}

/** The last hooks before an answer is written: the system's part of the way, which is the longest. */
export function answerInStep(app: FastifyInstance): void {
  const toSocket = new Step(endOfTick);
  app.addHook('onSend', (_request, _reply, _payload, done) => toSocket.join(done));
}

/** All that is to be read is read before the first of it is handled. */
function handleInStep(server: Server): void {
  const handlers = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
  const toHandling = new Step(setImmediate);
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    toHandling.join((error) => {
      if (error !== undefined) {
        throw error;
      }
      // Who has hung up meanwhile would not be heard of again: no event of his request comes twice.
      if (!request.destroyed) {
        handlers.forEach((handle) => handle(request, response));
      }
    });
  });
}
