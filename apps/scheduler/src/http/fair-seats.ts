import type { FastifyRequest } from 'fastify';

import { addressGroup } from '../sockets/address-group.js';
import { type Crowd, Crowds } from '../sockets/crowds.js';

interface Seat {
  readonly crowd: Crowd<Seat>;
  readonly onPushedOut: () => void;
}

/**
 * Places for requests that last. Where all are taken, who has the most gives the one it has had for longest to who has
 * fewer, and gets no more itself: what one caller opens shuts nobody else out.
 */
export class FairSeats {
  readonly #crowds = new Crowds<Seat>();
  #taken = 0;

  constructor(readonly limit: number) {}

  get taken(): number {
    return this.#taken;
  }

  /** Answers how to give it back; undefined: there is none for this caller. */
  take(caller: string, onPushedOut: () => void): (() => void) | undefined {
    const own = this.#crowds.of(caller);
    if (this.#taken >= this.limit) {
      const largest = this.#crowds.largest(own);
      const [longest] = largest === own || largest.size <= own.size + 1 ? [] : largest.idle();
      if (longest === undefined) {
        return undefined;
      }
      this.#free(longest);
      longest.onPushedOut();
    }
    const seat: Seat = { crowd: own, onPushedOut };
    this.#taken += 1;
    this.#crowds.add(own, seat);
    return () => this.#free(seat);
  }

  /** A second time does nothing. */
  #free(seat: Seat): void {
    if (seat.crowd.has(seat)) {
      this.#taken -= 1;
      this.#crowds.remove(seat.crowd, seat);
    }
  }
}

/** Who asks: by its token, or else by its address. */
export function callerKey(request: FastifyRequest): string {
  const { name } = request.caller;
  return name === undefined ? `address ${addressGroup(request.ip)}` : `token ${name}`;
}
