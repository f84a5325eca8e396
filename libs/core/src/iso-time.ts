let lastMs = NaN;
let lastText = '';

/** A time as ISO 8601 in UTC with milliseconds. Many that are told within one millisecond are written out once. */
export function toIsoTime(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}
