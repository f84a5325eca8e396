import type { Attempt } from './attempts.js';

/** Attempts of one state, in the order in which they came to it. The links are in the attempts: a move costs no memory. */
export class AttemptList {
  private head: Attempt | undefined;
  private tail: Attempt | undefined;
  private count = 0;

  get size(): number {
    return this.count;
  }

  get first(): Attempt | undefined {
    return this.head;
  }

  append(attempt: Attempt): void {
    attempt.previous = this.tail;
    attempt.next = undefined;
    if (this.tail === undefined) {
      this.head = attempt;
    } else {
      this.tail.next = attempt;
    }
    this.tail = attempt;
    this.count += 1;
  }

  /** It must be in this list. */
  remove(attempt: Attempt): void {
    const { previous, next } = attempt;
    if (previous === undefined) {
      this.head = next;
    } else {
      previous.next = next;
    }
    if (next === undefined) {
      this.tail = previous;
    } else {
      next.previous = previous;
    }
    attempt.previous = undefined;
    attempt.next = undefined;
    this.count -= 1;
  }

  toArray(): Attempt[] {
    const all: Attempt[] = [];
    for (let attempt = this.head; attempt !== undefined; attempt = attempt.next) {
      all.push(attempt);
    }
    return all;
  }
}
