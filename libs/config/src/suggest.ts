const MAX_DISTANCE = 3;
/** A shorter name is another one when so large a part of it differs. */
const MAX_SHARE = 1 / 3;

/** " (did you mean …?)" when a known name is close to what was given, else nothing. */
export function didYouMean(given: string, known: readonly string[]): string {
  const ranked = known
    .map((name) => ({ name, distance: editDistance(given.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  const limit = Math.min(MAX_DISTANCE, Math.max(1, Math.floor(given.length * MAX_SHARE)));
  return best !== undefined && best.distance <= limit ? ` (did you mean ${best.name}?)` : '';
}

/** Levenshtein's, row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
