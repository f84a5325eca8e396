import { readdirSync } from 'node:fs';

import { memoryOf } from '../harness/processes.js';
import type { Recorder } from './recorder.js';
import { uptimeMs } from './uptime.js';

interface Sample {
  atMs: number;
  memoryMib: number;
  files: number;
}

const SAMPLE_EVERY_MS = 2_000;
/** Of the median of the second fifth: what a heap may breathe. */
const MEMORY_MAY_GROW_BY = 0.15;
const MEMORY_MAY_GROW_BY_MIB = 12;
const FILES_MAY_GROW_BY = 8;

/** Watches memory and open files through a whole run, of processes that live as long or are replaced (an executor). */
export class UsageWatch {
  readonly #samples = new Map<string, Sample[]>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    /** Each throws while there is no such process. */
    private readonly pids: Readonly<Record<string, () => number>>,
    private readonly recorder: Recorder,
  ) {
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS);
    this.#sample();
  }

  /** For the table; throws when something has grown. Call it when the load has ended. */
  conclude(): string {
    clearInterval(this.#timer);
    this.#sample();
    const lines = Object.keys(this.pids).map((name) => judge(name, this.#samples.get(name) ?? []));
    const grown = lines.filter(({ hasGrown }) => hasGrown).map(({ text }) => text);
    if (grown.length > 0) {
      throw new Error(`not flat: ${grown.join(', ')}`);
    }
    return lines.map(({ text }) => text).join(', ');
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    for (const [name, pidOf] of Object.entries(this.pids)) {
      const sample = look(pidOf);
      if (sample !== undefined) {
        this.#samples.set(name, [...(this.#samples.get(name) ?? []), sample]);
        this.recorder.note({ type: 'usage', name, ...sample });
      }
    }
  }
}

/** Undefined while one is being replaced. */
function look(pidOf: () => number): Sample | undefined {
  try {
    const pid = pidOf();
    return { atMs: uptimeMs(), memoryMib: memoryOf(pid), files: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return undefined;
  }
}

function judge(name: string, samples: readonly Sample[]): { text: string; hasGrown: boolean } {
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  const [early, late] = [samples.slice(fifth, 2 * fifth), samples.slice(-fifth)];
  const [memoryBefore, memoryAfter] = [early, late].map((part) => median(part.map(({ memoryMib }) => memoryMib)));
  const [filesBefore, filesAfter] = [early, late].map((part) => Math.min(...part.map(({ files }) => files)));
  const grownBy = (memoryAfter ?? 0) - (memoryBefore ?? 0);
  return {
    text: `${name} ${memoryBefore?.toFixed(0)} → ${memoryAfter?.toFixed(0)} MiB, ${filesBefore} → ${filesAfter} files`,
    hasGrown:
      grownBy > Math.max(MEMORY_MAY_GROW_BY_MIB, MEMORY_MAY_GROW_BY * (memoryBefore ?? 0)) ||
      (filesAfter ?? 0) - (filesBefore ?? 0) > FILES_MAY_GROW_BY,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
