import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { WorkerMessage } from './index.js';

describe("README's example", () => {
  it('is what is run here', () => {
    const readme = readFileSync(join(__dirname, '../README.md'), 'utf8');
    const example = /```ts\n([^]*?)```/.exec(readme)?.[1]?.trim() ?? 'no example';
    const source = readFileSync(__filename, 'utf8').replace(/^ {4}/gm, '');

    expect(source).toContain(example);
  });

  it('says and hears a message', () => {
    // What a worker says: one of several messages in one frame.
    const said: WorkerMessage = { message: { $case: 'credit', value: { epoch: 7, granted: 4, prefetch: 0 } } };
    const bytes = WorkerMessage.encode(said).finish();

    const heard = WorkerMessage.decode(bytes).message;
    const granted = heard?.$case === 'credit' ? heard.value.granted : 0;

    expect(granted).toBe(4);
  });

  it('ignores what a later version adds', () => {
    const unknownMessage = Uint8Array.from([0xfa, 0x3e, 0x00]); // field 1007, empty
    const credit = WorkerMessage.encode({ message: { $case: 'goodbye', value: {} } }).finish();

    expect(WorkerMessage.decode(unknownMessage).message).toBeUndefined();
    expect(WorkerMessage.decode(Buffer.concat([credit, unknownMessage])).message?.$case).toBe('goodbye');
  });
});
