/** Frames are packed to this; a single larger item travels alone. The receiver's limit is 4 MiB. */
export const FRAME_BYTES = 256 * 1024;

/**
 * Takes items from the front of a queue until the frame is full. `bytes` may guess, but not low.
 * The queue is changed.
 */
export function takeFrame<T>(queue: T[], bytes: (item: T) => number, limit = FRAME_BYTES): T[] {
  let total = 0;
  let count = 0;
  for (const item of queue) {
    total += bytes(item);
    if (count > 0 && total > limit) {
      break;
    }
    count += 1;
  }
  return queue.splice(0, count);
}
