import type { ExecutorOutput } from '@orchestrator/execution';
import { OutputStream } from '@orchestrator/proto-types';
import { ManualClock } from '@orchestrator/testing';

import { FLUSH_LIMIT_MS, INLINE_OUTPUT_BYTES, OutputSender } from './output-sender.js';
import { aRef } from './testing/messages.js';

describe('OutputSender', () => {
  const setup = () => {
    const clock = new ManualClock();
    const acknowledged: [string, string, number][] = [];
    const sender = new OutputSender({
      clock,
      onReady: () => undefined,
      onAcknowledged: (id, stream, end) => acknowledged.push([id, stream, end]),
    });
    return { clock, sender, acknowledged };
  };

  const output = (offset: number, text: string): ExecutorOutput => ({
    attemptId: 'a',
    stream: 'stdout',
    offset,
    sequence: offset + 1,
    data: Buffer.from(text),
  });

  const texts = (sender: OutputSender): string[] => sender.pull()?.chunks.map(({ data }) => data.toString()) ?? [];

  const mark = (endOffset: number) => ({ attempt: aRef('a'), stream: OutputStream.STDOUT, endOffset });

  it('puts the whole output of a short attempt into its result', () => {
    const { sender } = setup();

    const inline = sender.finish(aRef('a'), [output(0, 'hello')], () => undefined);

    expect(inline?.map(({ data }) => data.toString())).toEqual(['hello']);
    expect(sender.pull()).toBeUndefined();
  });

  it('streams what is too much for a result', () => {
    const { sender } = setup();

    const inline = sender.finish(aRef('a'), [output(0, 'x'.repeat(INLINE_OUTPUT_BYTES + 1))], () => undefined);

    expect(inline).toBeUndefined();
    expect(sender.pull()?.chunks).toHaveLength(1);
  });

  it('sends a chunk once on a stream and again after that broke', () => {
    const { sender } = setup();
    sender.add(aRef('a'), output(0, 'hello'));

    expect(texts(sender)).toEqual(['hello']);
    expect(texts(sender)).toEqual([]);
    sender.resendAll();
    expect(texts(sender)).toEqual(['hello']);
  });

  it('tells the executor what is safe and does not send it again', () => {
    const { sender, acknowledged } = setup();
    sender.add(aRef('a'), output(0, 'hello'));
    sender.add(aRef('a'), output(5, ' there'));
    texts(sender);

    sender.acknowledged([mark(5)]);
    sender.resendAll();

    expect(acknowledged).toEqual([['a', 'stdout', 5]]);
    expect(texts(sender)).toEqual([' there']);
  });

  it('takes each byte once of what the executor hands over twice', () => {
    const { sender } = setup();
    sender.add(aRef('a'), output(0, 'hello'));

    sender.finish(aRef('a'), [output(0, 'hello there')], () => undefined);

    expect(texts(sender)).toEqual(['hello', ' there']);
  });

  it('lets the result go when its output is safe', () => {
    const { sender } = setup();
    const flushed: boolean[] = [];
    sender.add(aRef('a'), output(0, 'hello'));
    sender.finish(aRef('a'), [], (complete) => flushed.push(complete));

    sender.acknowledged([mark(5)]);

    expect(flushed).toEqual([true]);
  });

  it('lets the result go without the rest after a limit', () => {
    const { sender, clock } = setup();
    const flushed: boolean[] = [];
    sender.add(aRef('a'), output(0, 'hello'));
    sender.finish(aRef('a'), [], (complete) => flushed.push(complete));

    clock.advance(FLUSH_LIMIT_MS);

    expect(flushed).toEqual([false]);
    expect(clock.pendingTimers).toBe(0);
  });
});
