import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';

import type { PlainEnd, QueuedHandler } from './handler-wire.js';
import { eachEnd, eachRun, type PostedFromThread, type PostedToThread, putEnd, putRun } from './posted.js';

/** As the other thread gets it. */
function posted<Message>(message: Message): Message {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(message);
  const received = receiveMessageOnPort(port2) as { message: Message };
  port1.close();
  return received.message;
}

describe('what threads post to one another', () => {
  it('keeps what is to be run, in its order', () => {
    const run: QueuedHandler = {
      cell: 0,
      attemptId: 'a.0',
      jobId: 'default:1',
      attempt: 2,
      fence: 9_007_199_254_740_991,
      traceparent: '',
      workerId: 'w',
      specJson: '{"data":"\u2028 \\"quoted\\" \\u0000 ü"}',
      maxOutputBytes: 1,
    };
    const sent = [run, { ...run, cell: 2_047, attemptId: 'b.0', traceparent: '00-1-1-01' }];
    const message: PostedToThread = { runs: [], messages: [] };
    sent.forEach((one) => putRun(message.runs, one));

    const received: QueuedHandler[] = [];
    eachRun(posted(message).runs, (one) => received.push(one));

    expect(received).toEqual(sent);
  });

  it('keeps plain ends, with a result or without', () => {
    const sent: PlainEnd[] = [
      { cell: 0, startedAtWallMs: 1_700_000_000_000, durationMs: 0.25, resultJson: undefined },
      { cell: 7, startedAtWallMs: 1_700_000_000_001, durationMs: 0, resultJson: '{"ü":[1]}' },
    ];
    const message: PostedFromThread = { ends: [], messages: [] };
    sent.forEach((one) => putEnd(message.ends, one));

    const received: PlainEnd[] = [];
    eachEnd(posted(message).ends, (one) => received.push(one));

    expect(received).toEqual(sent);
  });
});
