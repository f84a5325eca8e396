import type { SchedulerMessage } from '@orchestrator/proto-types';

import { Outbox } from './outbox.js';

const ack = (sequence: number): SchedulerMessage => ({ message: { $case: 'heartbeatAck', value: { sequence } } });
const assign = (bytes: number): SchedulerMessage => ({
  message: {
    $case: 'assign',
    value: {
      epoch: 1,
      attempts: [{ attempt: undefined, specJson: 'x'.repeat(bytes), number: 1, traceparent: '' }],
      packed: '',
    },
  },
});

describe('Outbox', () => {
  it('hands over what is sent in order, and ends after the last of it when it is closed', async () => {
    const outbox = new Outbox();
    const sequences: (number | undefined)[] = [];
    outbox.send(ack(1));
    outbox.send(ack(2));

    for await (const { message } of outbox) {
      sequences.push(message?.$case === 'heartbeatAck' ? message.value.sequence : undefined);
      if (sequences.length === 2) {
        outbox.send(ack(3));
        outbox.close({ code: 'LEFT', detail: '' });
      }
    }

    expect(sequences).toEqual([1, 2, 3]);
    expect(outbox.send(ack(4))).toBe(false);
  });

  it('closes as SLOW_CONSUMER and drops everything when too many messages lie unread', () => {
    const outbox = new Outbox({ maxMessages: 2, maxBytes: 1_000_000 });

    expect([outbox.send(ack(1)), outbox.send(ack(2)), outbox.send(ack(3))]).toEqual([true, true, false]);
    expect(outbox.closeReason).toMatchObject({ code: 'SLOW_CONSUMER' });
  });

  it('closes as SLOW_CONSUMER when too many bytes lie unread, but lets a single large message pass', () => {
    const outbox = new Outbox({ maxMessages: 100, maxBytes: 10_000 });

    expect(outbox.send(assign(20_000))).toBe(true);
    expect(outbox.send(ack(1))).toBe(false);
  });

  it('keeps the first reason', () => {
    const outbox = new Outbox();

    outbox.close({ code: 'LEFT', detail: '' });
    outbox.close({ code: 'BROKEN', detail: '' });

    expect(outbox.closeReason?.code).toBe('LEFT');
  });
});
