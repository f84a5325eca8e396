import { accessSync, closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import type { Clock, Timer } from '@orchestrator/core';

import { Cgroup, findOwnCgroup, toSessionName } from '../cgroup.js';
import type { MarkOwner } from '../mark.js';

/** There and back, at best of a few tries. Some kernels take ten milliseconds for it, and every start would. */
const SLOW_MS = 1;
const TRIES = 8;
/** Empty ones that are kept: to make one and to remove it takes longer than to move into it. */
const MAX_FREE = 32;
const KEPT_MS = 5_000;

/**
 * A cgroup for each attempt, in one for the session. This process enters it for the moment of the spawn: so the command is
 * in it before it runs, nothing of its text passes a shell, and what cannot be started is reported as without.
 */
export class SessionCgroup {
  private made = 0;
  private readonly free: Cgroup[] = [];
  private removal: Timer | undefined;

  private constructor(
    readonly cgroup: Cgroup,
    /** `cgroup.procs` of where this process lives, open. */
    private readonly home: number,
    private readonly clock: Clock,
  ) {}

  /** Answers why not when it cannot be used here. */
  static open(owner: MarkOwner, clock: Clock): SessionCgroup | string {
    const own = findOwnCgroup();
    if (own === undefined) {
      return 'there is no cgroup v2';
    }
    const cgroup = new Cgroup(join(own, toSessionName(owner, process.pid)));
    if (!cgroup.create()) {
      return `${own} is not writable`;
    }
    try {
      ['cgroup.kill', 'cgroup.freeze'].forEach((file) => accessSync(join(cgroup.directory, file)));
      const session = new SessionCgroup(cgroup, openSync(join(own, 'cgroup.procs'), 'w'), clock);
      const bestMs = session.measure();
      if (bestMs <= SLOW_MS) {
        return session;
      }
      closeSync(session.home);
      cgroup.remove();
      return `to move a process takes ${bestMs.toFixed(1)} ms`;
    } catch (error) {
      cgroup.remove();
      return String(error);
    }
  }

  /** For one attempt. None when it cannot be made: then its mark has to do. */
  create(): Cgroup | undefined {
    const kept = this.free.pop();
    if (kept !== undefined) {
      return kept;
    }
    this.made += 1;
    const attempt = new Cgroup(join(this.cgroup.directory, String(this.made)));
    return attempt.create() || (this.cgroup.create() && attempt.create()) ? attempt : undefined;
  }

  /** Of an attempt that has ended by itself: answers whether it is kept. Else it is for the attempt to end it. */
  takeBack(attempt: Cgroup): boolean {
    const kept = this.free.length < MAX_FREE ? attempt.handOn() : undefined;
    if (kept !== undefined) {
      this.free.push(kept);
      this.removal ??= this.clock.setTimer(KEPT_MS, () => this.removeFree());
    }
    return kept !== undefined;
  }

  /** Under load that is one or two; it makes them anew. */
  private removeFree(): void {
    this.removal = undefined;
    this.free.splice(0).forEach((cgroup) => cgroup.remove());
  }

  spawnIn<T>(attempt: Cgroup, spawn: () => T): T {
    if (!this.enter(attempt)) {
      return spawn();
    }
    try {
      return spawn();
    } finally {
      this.leave();
    }
  }

  /** @throws when a process cannot be moved. */
  private measure(): number {
    const { clock } = this;
    const attempt = this.create();
    if (attempt === undefined) {
      throw new Error('no cgroup can be made in it');
    }
    let bestMs = Infinity;
    for (let tried = 0; tried < TRIES; tried += 1) {
      const startedAtMs = clock.monotonicMs();
      if (!this.enter(attempt)) {
        attempt.remove();
        throw new Error('no process can be moved into it');
      }
      this.leave();
      bestMs = Math.min(bestMs, clock.monotonicMs() - startedAtMs);
    }
    attempt.remove();
    return bestMs;
  }

  private enter({ processesFile }: Cgroup): boolean {
    try {
      const procs = openSync(processesFile, 'w');
      try {
        writeSync(procs, '0');
      } finally {
        closeSync(procs);
      }
      return true;
    } catch {
      return false;
    }
  }

  private leave(): void {
    try {
      writeSync(this.home, '0');
    } catch (error) {
      // It would be frozen and killed with the attempt. Its worker starts another one and says why.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
