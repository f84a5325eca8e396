import { median, slope } from '../statistics.js';

/** What a process had at a moment. */
export interface MemorySample {
  atMs: number;
  mib: number;
  files: number;
}

export interface Growth {
  firstMib: number;
  lastMib: number;
  /** Of the line through the second half of the samples: the first is for warming up. */
  mibPerMinute: number;
  /** By how much that line grows over the second half, of what there was in its middle. */
  share: number;
  mostFiles: number;
}

/** Of the samples, for the medians at both ends. */
const END_SHARE = 0.1;
const MS_A_MINUTE = 60_000;

export function growthOf(samples: readonly MemorySample[]): Growth {
  const half = samples.slice(Math.floor(samples.length / 2));
  const mibPerMinute = slope(half.map(({ atMs, mib }) => ({ x: atMs / MS_A_MINUTE, y: mib })));
  const minutes = ((half.at(-1)?.atMs ?? 0) - (half[0]?.atMs ?? 0)) / MS_A_MINUTE;
  const end = Math.max(1, Math.round(samples.length * END_SHARE));
  const mib = (some: readonly MemorySample[]): number => median(some.map((sample) => sample.mib));
  return {
    firstMib: mib(samples.slice(0, end)),
    lastMib: mib(samples.slice(-end)),
    mibPerMinute,
    share: (mibPerMinute * minutes) / mib(half),
    mostFiles: Math.max(...samples.map(({ files }) => files)),
  };
}
