import { StringDecoder } from 'node:string_decoder';

import type { StoredOutput } from '@orchestrator/queue';

export type StreamName = 'stdout' | 'stderr';

/** A piece of output that has not been told before. */
export interface OutputPiece {
  stream: StreamName;
  /** Of its first byte in the stream. */
  offset: number;
  text: string;
  /** Bytes before it that were cut out to keep to the cap. */
  leftOut: number;
}

/**
 * Makes text of stored chunks, also when they are read again and again while they grow: each byte is told once,
 * characters are never split, and what the cap has cut out is counted.
 */
export class OutputReader {
  readonly #ends = { stdout: 0, stderr: 0 };
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };

  constructor(private readonly only: StreamName | undefined) {}

  take({ chunks }: StoredOutput): OutputPiece[] {
    return chunks.flatMap((chunk): OutputPiece[] => {
      const { stream, offset, data } = chunk;
      const from = this.#ends[stream];
      const end = offset + data.length;
      if (end <= from || (this.only !== undefined && stream !== this.only)) {
        return [];
      }
      const start = Math.max(offset, from);
      this.#ends[stream] = end;
      const leftOut = start - from;
      const rest = leftOut > 0 ? this.#flush(stream) : '';
      const text = rest + this.#decoders[stream].write(data.subarray(start - offset));
      return [{ stream, offset: start, text, leftOut }];
    });
  }

  /** What is left of characters that never became whole. */
  end(): OutputPiece[] {
    return (['stdout', 'stderr'] as const).flatMap((stream) => {
      const text = this.#flush(stream);
      return text === '' ? [] : [{ stream, offset: this.#ends[stream], text, leftOut: 0 }];
    });
  }

  #flush(stream: StreamName): string {
    return this.#decoders[stream].end();
  }
}

/** The whole as text, with a line where something was cut out. */
export function toText(output: StoredOutput, only: StreamName | undefined): string {
  const reader = new OutputReader(only);
  return [...reader.take(output), ...reader.end()]
    .map(({ stream, text, leftOut }) =>
      leftOut > 0 ? `\n[… ${leftOut} bytes of ${stream} left out …]\n${text}` : text,
    )
    .join('');
}

/** The last lines; a line end at the very end begins no other line. */
export function lastLines(text: string, lines: number): string {
  let at = text.endsWith('\n') ? text.length - 1 : text.length;
  for (let left = lines; left > 0 && at >= 0; left -= 1) {
    at = at === 0 ? -1 : text.lastIndexOf('\n', at - 1);
  }
  return lines === 0 ? '' : text.slice(at + 1);
}
