import type { StoredOutput } from '@orchestrator/queue';

export type StreamName = 'stdout' | 'stderr';

/** A piece of output that has not been told before. */
export interface OutputPiece {
  stream: StreamName;
  /** Of the first byte in the stream that was read for it. */
  offset: number;
  /** As the command wrote it. A character of UTF-8 is never split between two pieces. */
  data: Buffer;
  /** Bytes before it that were cut out to keep to the cap. */
  leftOut: number;
}

const NOTHING = Buffer.alloc(0);

/**
 * Makes pieces of stored chunks, also when they are read again and again while they grow: each byte is told once,
 * characters are never split, and what the cap has cut out is counted.
 */
export class OutputReader {
  readonly #ends = { stdout: 0, stderr: 0 };
  /** The beginning of a character whose rest has not come yet. */
  readonly #open = { stdout: NOTHING, stderr: NOTHING };

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
      // Before a gap nothing can complete a character.
      const before = leftOut > 0 ? this.#flush(stream, from) : [];
      const whole = Buffer.concat([this.#open[stream], data.subarray(start - offset)]);
      const held = openBytes(whole);
      this.#open[stream] = Buffer.from(whole.subarray(whole.length - held));
      return [...before, { stream, offset: start, data: whole.subarray(0, whole.length - held), leftOut }];
    });
  }

  /** What is left of characters that never became whole. */
  end(): OutputPiece[] {
    return (['stdout', 'stderr'] as const).flatMap((stream) => this.#flush(stream, this.#ends[stream]));
  }

  #flush(stream: StreamName, offset: number): OutputPiece[] {
    const data = this.#open[stream];
    this.#open[stream] = NOTHING;
    return data.length === 0 ? [] : [{ stream, offset, data, leftOut: 0 }];
  }
}

/** The whole, byte for byte, with a line where something was cut out. */
export function toBytes(output: StoredOutput, only: StreamName | undefined): Buffer {
  const reader = new OutputReader(only);
  return Buffer.concat(
    [...reader.take(output), ...reader.end()].flatMap(({ stream, data, leftOut }) =>
      leftOut > 0 ? [Buffer.from(`\n[… ${leftOut} bytes of ${stream} left out …]\n`), data] : [data],
    ),
  );
}

const LINE_END = 0x0a;

/** The last lines; a line end at the very end begins no other line. */
export function lastLines(text: Buffer, lines: number): Buffer {
  let at = text.at(-1) === LINE_END ? text.length - 1 : text.length;
  for (let left = lines; left > 0 && at >= 0; left -= 1) {
    at = at === 0 ? -1 : text.lastIndexOf(LINE_END, at - 1);
  }
  return lines === 0 ? NOTHING : text.subarray(at + 1);
}

const LONGEST_CHARACTER = 4;

/** How many bytes at the end begin a character of UTF-8 and do not complete it. */
function openBytes(data: Buffer): number {
  for (let back = 1; back < LONGEST_CHARACTER && back <= data.length; back += 1) {
    const byte = data[data.length - back] ?? 0;
    if ((byte & 0xc0) !== 0x80) {
      return lengthAfter(byte) > back ? back : 0;
    }
  }
  return 0;
}

/** Of a character that begins with this byte; 1 for what begins none. */
function lengthAfter(first: number): number {
  if (first < 0xc0 || first >= 0xf8) {
    return 1;
  }
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : LONGEST_CHARACTER;
}
