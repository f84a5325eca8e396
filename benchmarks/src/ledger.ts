import { sharedNowMs } from './now.js';

const CAPACITY = 1_000_000;

/** What has been executed, counted where it is executed: how often each job, and when it began last. */
export class Ledger {
  readonly #counts = new Uint8Array(CAPACITY);
  readonly #startsMs = new Float64Array(CAPACITY);
  #end = 0;

  started(index: number): void {
    if (!(index >= 0 && index < CAPACITY)) {
      throw new Error(`job ${index} is beyond the ${CAPACITY} that a ledger counts`);
    }
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#startsMs[index] = sharedNowMs();
    this.#end = Math.max(this.#end, index + 1);
  }

  reset(): void {
    this.#counts.fill(0);
    this.#startsMs.fill(0);
    this.#end = 0;
  }

  page(): LedgerPage {
    return {
      counts: Array.from(this.#counts.subarray(0, this.#end)),
      startsMs: Array.from(this.#startsMs.subarray(0, this.#end)),
    };
  }
}

export interface LedgerPage {
  /** By number of the job. */
  counts: number[];
  startsMs: number[];
}

/** Of several processes that share the work. A start is that of whoever executed it. */
export function mergePages(pages: readonly LedgerPage[]): LedgerPage {
  const length = Math.max(0, ...pages.map(({ counts }) => counts.length));
  const sum = (pick: (page: LedgerPage) => readonly number[]): number[] =>
    Array.from({ length }, (_, index) => pages.reduce((total, page) => total + (pick(page)[index] ?? 0), 0));
  return { counts: sum(({ counts }) => counts), startsMs: sum(({ startsMs }) => startsMs) };
}

/** @throws {Error} unless each of the jobs 0 … count - 1 was executed once, and no other. */
export function requireOnceEach({ counts }: LedgerPage, count: number, who: string): void {
  const wrong = Array.from({ length: Math.max(count, counts.length) }, (_, index) => counts[index] ?? 0)
    .map((times, index) => ({ index, times, expected: index < count ? 1 : 0 }))
    .filter(({ times, expected }) => times !== expected);
  if (wrong.length > 0) {
    const shown = wrong.slice(0, 5).map(({ index, times }) => `job ${index} ${times} times`);
    throw new Error(`${who}: ${wrong.length} of ${count} jobs not executed once each: ${shown.join(', ')}`);
  }
}
