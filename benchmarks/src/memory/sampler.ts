import { filesOf, memoryOf } from '@orchestrator/e2e';

import type { BenchRedis } from '../bench-redis.js';
import type { MemorySample } from './growth.js';

const BYTES_A_MIB = 1_048_576;

/** Looks at processes, and at what Redis holds, again and again. */
export class MemorySampler {
  readonly #samples = new Map<string, MemorySample[]>();
  readonly #timer: NodeJS.Timeout;
  #failure: unknown;

  constructor(
    private readonly pids: Readonly<Record<string, number>>,
    private readonly redis: BenchRedis,
    everyMs: number,
  ) {
    this.#timer = setInterval(() => void this.#look().catch((error: unknown) => (this.#failure ??= error)), everyMs);
  }

  /** By name of the process, and `redis`. @throws {Error} when one of them could not be looked at. */
  stop(): Map<string, MemorySample[]> {
    clearInterval(this.#timer);
    if (this.#failure !== undefined) {
      throw this.#failure as Error;
    }
    return this.#samples;
  }

  async #look(): Promise<void> {
    const atMs = performance.now();
    for (const [name, pid] of Object.entries(this.pids)) {
      this.#add(name, { atMs, mib: memoryOf(pid), files: filesOf(pid) });
    }
    this.#add('redis', { atMs, mib: (await this.redis.usedBytes()) / BYTES_A_MIB, files: 0 });
  }

  #add(name: string, sample: MemorySample): void {
    const samples = this.#samples.get(name) ?? [];
    samples.push(sample);
    this.#samples.set(name, samples);
  }
}
