import { PassThrough } from 'node:stream';
import { deserialize } from 'node:v8';

import { ManualClock } from '@orchestrator/testing';

import { FrameChannel } from './frames.js';

const MIB = 1024 * 1024;

/** The frames that were written so far, as arrays of messages. */
function framesOf(bytes: Buffer): unknown[][] {
  const frames: unknown[][] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32LE(at);
    frames.push(deserialize(bytes.subarray(at + 4, end)) as unknown[]);
    at = end;
  }
  return frames;
}

describe('FrameChannel', () => {
  it('packs what is sent in one turn into one frame, but never more than some megabytes', async () => {
    const stream = new PassThrough({ highWaterMark: 512 * MIB });
    const written: Buffer[] = [];
    const write = jest.spyOn(stream, 'write').mockImplementation((chunk: Buffer) => written.push(chunk) > 0);
    const channel = new FrameChannel<{ data: Buffer }, never>({
      stream,
      weigh: ({ data }) => data.length,
      onMessage: () => undefined,
      onClosed: () => undefined,
    });

    // As 20 jobs with `executor.maxOutput` 16 MiB that end together: more than the other side takes in one frame.
    for (let job = 0; job < 20; job += 1) {
      channel.send({ data: Buffer.alloc(16 * MIB, job) });
    }
    for (let job = 0; job < 3; job += 1) {
      channel.send({ data: Buffer.alloc(1, job) });
    }
    await new Promise((resolve) => setImmediate(resolve));

    expect(framesOf(Buffer.concat(written)).map((messages) => messages.length)).toEqual([
      ...Array<number>(20).fill(1),
      3,
    ]);
    // Nor what was to be told later.
    const clock = new ManualClock();
    written.length = 0;
    Array.from({ length: 3 }, () => channel.sendLater(clock, { data: Buffer.alloc(16 * MIB) }));
    channel.sendLater(clock, { data: Buffer.alloc(1) });
    channel.sendLater(clock, { data: Buffer.alloc(1) });
    clock.advance(5);

    expect(framesOf(Buffer.concat(written)).map((messages) => messages.length)).toEqual([1, 1, 1, 2]);
    write.mockRestore();
  });
});
