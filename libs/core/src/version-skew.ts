/** How many minor versions schedulers and workers may be apart: as far as is tested. */
export const MAX_MINORS_APART = 1;

/**
 * Whether two of our programs may work together. "1.4.2" and "1.5.0-rc" may; another major version, or two minor ones,
 * may not. Of what is no version nothing is said.
 */
export function mayWorkTogether(one: string, other: string): boolean {
  const [a, b] = [parse(one), parse(other)];
  if (a === undefined || b === undefined) {
    return true;
  }
  return a.major === b.major && Math.abs(a.minor - b.minor) <= MAX_MINORS_APART;
}

function parse(version: string): { major: number; minor: number } | undefined {
  const [, major, minor] = /^(\d{1,9})\.(\d{1,9})\./.exec(version) ?? [];
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}
