import { MAX_MINORS_APART, mayWorkTogether } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

/** More names than any cluster has: beyond them everything is told again. */
const MOST_REMEMBERED = 10_000;

/** Warns of schedulers and workers whose version is too far from this one's, once for each and version. */
export class VersionWatch {
  readonly #told = new Set<string>();

  constructor(
    private readonly own: string,
    private readonly logger: Logger,
  ) {}

  saw(kind: 'worker' | 'scheduler', id: string, version: string): void {
    const key = `${kind} ${id} ${version}`;
    if (mayWorkTogether(this.own, version) || this.#told.has(key)) {
      return;
    }
    if (this.#told.size >= MOST_REMEMBERED) {
      this.#told.clear();
    }
    this.#told.add(key);
    this.logger.warn(
      `a ${kind} is more than ${MAX_MINORS_APART} minor version away: upgrade one step after the other`,
      {
        [kind]: id,
        version,
        own: this.own,
      },
    );
  }
}
