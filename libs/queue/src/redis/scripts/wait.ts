/** What includes/due answers as the time until the next job is due: milliseconds, or '' for none. */
export function toWait(raw: number | string): number | undefined {
  return raw === '' ? undefined : Number(raw);
}
