/** How many were done at a moment. */
export interface Progress {
  atMs: number;
  done: number;
}

/**
 * Jobs a second between two numbers of jobs done, from what was seen now and then; between two looks in proportion.
 * @throws {Error} when that many were never seen.
 */
export function rateBetween(seen: readonly Progress[], from: number, to: number): number {
  return ((to - from) / (momentOf(seen, to) - momentOf(seen, from))) * 1_000;
}

function momentOf(seen: readonly Progress[], done: number): number {
  const index = seen.findIndex((each) => each.done >= done);
  const [before, after] = [seen[index - 1], seen[index]];
  if (after === undefined) {
    throw new Error(`${done} jobs done were never seen, but ${seen.at(-1)?.done ?? 'nothing'}`);
  }
  if (before === undefined || after.done === before.done) {
    return after.atMs;
  }
  return before.atMs + ((done - before.done) / (after.done - before.done)) * (after.atMs - before.atMs);
}
