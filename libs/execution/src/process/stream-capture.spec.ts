import { StreamCapture } from './stream-capture.js';

/** What is held, as text with its offsets; lost ranges are skipped. */
function held(capture: StreamCapture, limit = 7): { offset: number; text: string }[] {
  const pieces: { offset: number; text: string }[] = [];
  for (let offset = capture.heldFrom(0); offset < capture.total;) {
    const text = capture.read(offset, limit).toString();
    pieces.push({ offset, text });
    offset = capture.heldFrom(offset + text.length);
  }
  return pieces;
}

describe('StreamCapture', () => {
  it('holds all as long as it fits', () => {
    const capture = new StreamCapture(16);
    ['abc', 'defgh', 'ijklmnop'].forEach((text) => capture.append(Buffer.from(text)));

    expect(capture.truncated).toBe(false);
    expect(
      held(capture)
        .map(({ text }) => text)
        .join(''),
    ).toBe('abcdefghijklmnop');
  });

  it('holds the first quarter and the last three, however the bytes come', () => {
    const text = Array.from({ length: 500 }, (_value, index) => String.fromCharCode(33 + (index % 90))).join('');
    for (const size of [1, 3, 7, 12, 16, 40, 500]) {
      const capture = new StreamCapture(40);
      for (let at = 0; at < text.length; at += size) {
        capture.append(Buffer.from(text.slice(at, at + size)));
      }

      expect(capture.total).toBe(500);
      expect(capture.truncated).toBe(true);
      for (const { offset, text: piece } of held(capture)) {
        expect(text.slice(offset, offset + piece.length)).toBe(piece);
      }
      const kept = held(capture).flatMap(({ offset, text: piece }) => [...piece].map((_char, index) => offset + index));
      expect(kept).toEqual([...range(0, 10), ...range(470, 500)]);
    }
  });

  it('holds nothing with a cap of zero', () => {
    const capture = new StreamCapture(0);
    capture.append(Buffer.from('abc'));

    expect(capture.total).toBe(3);
    expect(capture.truncated).toBe(true);
    expect(held(capture)).toEqual([]);
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_value, index) => from + index);
}
