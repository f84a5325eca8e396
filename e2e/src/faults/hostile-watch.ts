import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import type { WorkerView } from '../harness/api.js';
import { memoryOf } from '../harness/processes.js';
import type { FaultCluster } from './cluster/fault-cluster.js';

const LOOK_EVERY_MS = 250;
const LOOK_WITHIN_MS = 1_000;

/** Asks GET /workers all the time whether somebody doubts a worker, and remembers the longest silence between heartbeats. */
export class HeartbeatWatch {
  readonly doubts: string[] = [];
  longestSilenceMs = 0;
  #stopped = false;
  #lastMs = 0;
  readonly #loop: Promise<void>;

  constructor(
    private readonly cluster: FaultCluster,
    private readonly worker: string,
  ) {
    this.#loop = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      // While Redis is stopped nobody knows: the answer that follows tells.
      const answer = await this.cluster.api
        .request('GET', `/api/v1/workers/${this.worker}`, undefined, { withinMs: LOOK_WITHIN_MS })
        .catch(() => undefined);
      if (answer?.status === 200) {
        this.#note(JSON.parse(answer.text) as WorkerView & { lastHeartbeatAt: string });
      }
      await pause(LOOK_EVERY_MS);
    }
  }

  #note({ state, health, lastHeartbeatAt }: WorkerView & { lastHeartbeatAt: string }): void {
    const beatMs = Date.parse(lastHeartbeatAt);
    if (this.#lastMs > 0) {
      this.longestSilenceMs = Math.max(this.longestSilenceMs, beatMs - this.#lastMs);
    }
    this.#lastMs = beatMs;
    if (state !== 'alive' || health !== 'ok') {
      this.doubts.push(`${this.worker} was ${state} and ${health}`);
    }
  }
}

/** What a process holds, and the most that it held since then. */
export class Holdings {
  readonly files: number;
  readonly #memoryMib: number;

  constructor(
    readonly name: 'worker' | 'executor' | 'scheduler',
    readonly pid: number,
  ) {
    this.files = countFiles(pid);
    this.#memoryMib = memoryOf(pid);
    try {
      // From now on VmHWM is the peak since now.
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
    } catch {
      // Then it is the peak since its start.
    }
  }

  get filesMore(): number {
    return countFiles(this.pid) - this.files;
  }

  get grownByMib(): number {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'latin1')) ?? [];
    return Math.max(0, Math.round(Number(kib ?? 0) / 1_024 - this.#memoryMib));
  }
}

function countFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
