import type { OutputChunk, OutputVerdict, OutputWriter } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { appendOutput as lua } from '../lua.js';

export interface AppendOutputParams {
  chunks: readonly OutputChunk[];
  writer?: OutputWriter | undefined;
  /** What is kept of each stream of each start. */
  capBytes: number;
}

export const appendOutput = definePoolScript<AppendOutputParams, OutputVerdict[]>({
  name: 'append-output',
  lua,
  args: ({ chunks, writer, capBytes }) => [
    capBytes,
    writer?.session ?? '',
    writer?.worker ?? '',
    ...chunks.flatMap(({ ulid, attemptId, fence, stream, offset, sequence, data }) => [
      ulid,
      attemptId,
      fence,
      stream,
      offset,
      sequence,
      data,
    ]),
  ],
  reply: (raw, { chunks }) => {
    const values = raw as (string | number)[];
    return chunks.map((_, i) => ({
      verdict: values[2 * i] as OutputVerdict['verdict'],
      endOffset: Number(values[2 * i + 1]),
    }));
  },
});
