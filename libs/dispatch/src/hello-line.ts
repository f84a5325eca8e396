import { type Clock, type Random, sleep } from '@orchestrator/core';
import type { Hello } from '@orchestrator/proto-types';
import type { Logger } from '@orchestrator/telemetry';

import { greet, type GreetingAnswer, type GreetingDeps } from './greeting.js';
import { RetryDelay } from './retry-delay.js';

export interface HelloLineDeps extends GreetingDeps {
  clock: Clock;
  random: Random;
  logger: Logger;
  /** The stream has ended. */
  signal: AbortSignal;
  onAnswer(hello: Hello, answer: GreetingAnswer): void;
}

/**
 * The Hellos of one stream: one is answered at a time, and of those that arrived meanwhile only the last. While the
 * registry cannot be asked the same one is tried again: it is known again by its number.
 */
export class HelloLine {
  private waiting: Hello | undefined;
  private running = false;

  constructor(private readonly deps: HelloLineDeps) {}

  push(hello: Hello): void {
    this.waiting = hello;
    if (!this.running) {
      this.running = true;
      void this.run();
    }
  }

  private async run(): Promise<void> {
    const { clock, random, logger, signal } = this.deps;
    const delay = new RetryDelay(random, { firstMs: 250, maxMs: 2_000 });
    let told: Hello | undefined;
    while (this.waiting !== undefined && !signal.aborted) {
      const hello = this.waiting;
      try {
        const answer = await greet(hello, this.deps);
        if (this.waiting === hello && !signal.aborted) {
          this.waiting = undefined;
          this.deps.onAnswer(hello, answer);
        }
      } catch (error) {
        if (told !== hello) {
          told = hello;
          logger.warn('a Hello could not be registered; it is tried again', { worker: hello.workerId, error });
        }
        await sleep(clock, delay.next(), signal);
      }
    }
    this.running = false;
  }
}
