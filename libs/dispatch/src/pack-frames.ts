/** The size that frames are packed to; a single larger entry travels alone. */
export const FRAME_BYTES = 256 * 1024;

/** Splits a list, in order, into pieces of at most `maxBytes` and `maxEntries`; no piece is empty. */
export function packFrames<T>(
  entries: readonly T[],
  bytesOf: (entry: T) => number,
  limits: { maxBytes?: number; maxEntries?: number } = {},
): T[][] {
  const { maxBytes = FRAME_BYTES, maxEntries = Number.POSITIVE_INFINITY } = limits;
  const frames: T[][] = [];
  let frame: T[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = bytesOf(entry);
    if (frame.length > 0 && (bytes + size > maxBytes || frame.length >= maxEntries)) {
      frames.push(frame);
      frame = [];
      bytes = 0;
    }
    frame.push(entry);
    bytes += size;
  }
  if (frame.length > 0) {
    frames.push(frame);
  }
  return frames;
}
