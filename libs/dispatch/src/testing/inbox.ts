import { systemClock } from '@orchestrator/core';
import { withTimeout } from '@orchestrator/lifecycle';
import type { SchedulerMessage } from '@orchestrator/proto-types';

export type Message = NonNullable<SchedulerMessage['message']>;
export type Case = Message['$case'];
export type ValueOf<C extends Case> = Extract<Message, { $case: C }>['value'];

const LIMIT_MS = 10_000;

/** What a scripted worker was sent: each message is taken once, by its kind, and waited for where it has not come. */
export class Inbox {
  private messages: Message[] = [];
  private readonly waiting = new Set<() => void>();

  push(message: Message): void {
    this.messages.push(message);
    for (const wake of [...this.waiting]) {
      wake();
    }
  }

  /** The oldest untaken one of this kind. Rejects when none comes in time. */
  take<C extends Case>(kind: C, accept: (value: ValueOf<C>) => boolean = () => true): Promise<ValueOf<C>> {
    return this.until(`a message "${kind}"`, () => this.pull(kind, accept));
  }

  pull<C extends Case>(kind: C, accept: (value: ValueOf<C>) => boolean = () => true): ValueOf<C> | undefined {
    const isWanted = (message: Message): boolean => message.$case === kind && accept(message.value as ValueOf<C>);
    const index = this.messages.findIndex(isWanted);
    const [message] = index < 0 ? [] : this.messages.splice(index, 1);
    return message?.value as ValueOf<C> | undefined;
  }

  /** Untaken ones of this kind. */
  count(kind: Case): number {
    return this.messages.filter((message) => message.$case === kind).length;
  }

  clear(): void {
    this.messages = [];
  }

  private until<T>(what: string, look: () => T | undefined): Promise<T> {
    const found = new Promise<T>((resolve) => {
      const check = (): void => {
        const value = look();
        if (value !== undefined) {
          this.waiting.delete(check);
          resolve(value);
        }
      };
      this.waiting.add(check);
      check();
    });
    return withTimeout(systemClock, LIMIT_MS, `waiting for ${what}`, found);
  }
}
