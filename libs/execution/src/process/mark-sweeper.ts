import type { Clock, Timer } from '@orchestrator/core';

import { type Survivors, SurvivorWatch } from '../survivors.js';
import { CLEAN_LOOKS, type MarkedProcess, signalMarked, tryToFind } from '../sweep.js';

/** After its end an attempt is looked for this much later, together with all others that ended by then. */
const ENDED_LOOK_MS = 1_000;
const URGENT_LOOK_MS = 20;
const WATCH_LOOK_MS = 50;
/** Looking at every process of the machine takes at most this part of the time. */
const IDLE_FACTOR = 4;
/** One that took longer was interrupted by a stop of this process, and says nothing. */
const SLOWEST_LOOK_MS = 250;

interface Hunt {
  /** `watch` looks only; the others kill what they find. */
  mode: 'ended' | 'urgent' | 'watch';
  /** To be sent once, but not to this group: it was signalled as a whole. */
  signal: { name: NodeJS.Signals; exceptGroup: number } | undefined;
  clean: number;
  survivors: SurvivorWatch;
  done: (() => void)[];
}

const CLEAN_NEEDED: Record<Hunt['mode'], number> = { ended: 1, urgent: CLEAN_LOOKS, watch: CLEAN_LOOKS };
const LOOK_AFTER_MS: Record<Hunt['mode'], number> = {
  ended: ENDED_LOOK_MS,
  urgent: URGENT_LOOK_MS,
  watch: WATCH_LOOK_MS,
};

/** Finds by mark what has left its attempt's process group. One look at `/proc` serves all attempts that need one. */
export class MarkSweeper {
  private readonly hunts = new Map<string, Hunt>();
  private timer: Timer | undefined;
  private dueAtMs = Infinity;
  private lastLookMs = 0;

  constructor(
    private readonly clock: Clock,
    private readonly onSurvivors: (survivors: Survivors) => void,
  ) {}

  /** It ended by itself and its group was killed: what escaped is ended within a second or two. */
  ended(mark: string): void {
    this.hunt(mark, 'ended');
  }

  /** Kills until nothing is found; resolves then. */
  kill(mark: string): Promise<void> {
    return new Promise((resolve) => {
      this.hunt(mark, 'urgent').done.push(resolve);
      this.schedule(0);
    });
  }

  /** Signals once what has left the group. */
  signal(mark: string, name: NodeJS.Signals, exceptGroup: number): void {
    this.hunt(mark, 'watch').signal = { name, exceptGroup };
    this.schedule(0);
  }

  /** Resolves when nothing is left of it, or when `kill` has seen to that. Kills nothing by itself. */
  gone(mark: string): Promise<void> {
    return new Promise((resolve) => this.hunt(mark, 'watch').done.push(resolve));
  }

  private hunt(mark: string, mode: Hunt['mode']): Hunt {
    const hunt = this.hunts.get(mark) ?? {
      mode,
      signal: undefined,
      clean: 0,
      survivors: new SurvivorWatch(this.clock, this.onSurvivors),
      done: [],
    };
    // What is being killed stays so, whoever asks for less meanwhile.
    hunt.mode = hunt.mode === 'urgent' ? 'urgent' : mode;
    hunt.clean = 0;
    this.hunts.set(mark, hunt);
    this.schedule(LOOK_AFTER_MS[hunt.mode]);
    return hunt;
  }

  private schedule(delayMs: number): void {
    const now = this.clock.monotonicMs();
    const dueAtMs = now + Math.max(delayMs, this.lastLookMs * IDLE_FACTOR);
    if (dueAtMs < this.dueAtMs) {
      this.timer?.cancel();
      this.dueAtMs = dueAtMs;
      this.timer = this.clock.setTimer(dueAtMs - now, () => this.look());
    }
  }

  private look(): void {
    const startedAtMs = this.clock.monotonicMs();
    const found = new Map<string, MarkedProcess[]>();
    const looked = tryToFind((mark) => this.hunts.has(mark));
    for (const marked of looked ?? []) {
      found.set(marked.mark, [...(found.get(marked.mark) ?? []), marked]);
    }
    this.dueAtMs = Infinity;
    this.lastLookMs = Math.min(this.clock.monotonicMs() - startedAtMs, SLOWEST_LOOK_MS);
    for (const [mark, hunt] of this.hunts) {
      if (looked === undefined) {
        this.schedule(LOOK_AFTER_MS[hunt.mode]);
      } else {
        this.act(mark, hunt, found.get(mark) ?? []);
      }
    }
  }

  private act(mark: string, hunt: Hunt, found: readonly MarkedProcess[]): void {
    const { signal } = hunt;
    hunt.signal = undefined;
    if (hunt.mode !== 'watch') {
      found.forEach((marked) => signalMarked(marked, 'SIGKILL'));
      hunt.survivors.note(found.map(({ pid }) => pid));
    } else if (signal !== undefined) {
      const outside = found.filter((marked) => marked.processGroup !== signal.exceptGroup);
      outside.forEach((marked) => signalMarked(marked, signal.name));
    }
    hunt.clean = found.length === 0 ? hunt.clean + 1 : 0;
    if (hunt.clean >= CLEAN_NEEDED[hunt.mode]) {
      this.hunts.delete(mark);
      hunt.done.forEach((done) => done());
    } else {
      this.schedule(hunt.survivors.areStubborn ? ENDED_LOOK_MS : LOOK_AFTER_MS[hunt.mode]);
    }
  }
}
