import type { Clock, Timer } from '@orchestrator/core';

import type { Cgroup } from '../cgroup.js';
import { hasProc, sendSignal } from '../proc.js';
import {
  type AttemptTree,
  isOver,
  isStopped,
  keyOf,
  membersOf,
  readProcesses,
  type SeenProcess,
  signalGroupOf,
  signalSeen,
} from '../process-tree.js';
import { CLEAN_LOOKS } from '../sweep.js';

/** While something is being stopped. */
const URGENT_LOOK_MS = 10;
/** While all is stopped: somebody else may have sent SIGCONT, above all after a stop of the whole machine. */
const WATCH_LOOK_MS = 200;
/** Looking at every process of the machine takes at most a third of the time: half a second late at worst. */
const IDLE_FACTOR = 2;
/** One that took longer was interrupted by a stop of this process, and says nothing. */
const SLOWEST_LOOK_MS = 250;

/** What is in its cgroup is stopped and continued by the kernel, at once; the rest, or all without one, by signals. */
export interface FrozenTree extends AttemptTree {
  cgroup?: Cgroup | undefined;
}

interface Held {
  tree: FrozenTree;
  /** Stopped by the job itself before, and left so. Not known before the first look. */
  before: Map<string, SeenProcess> | undefined;
  /** To be continued. */
  stopped: Map<string, SeenProcess>;
  clean: number;
  done: (() => void)[];
}

/**
 * Stops everything of an attempt with SIGSTOP and keeps it so: looks again and again for what runs (a fork between two
 * looks, what has left the group, what somebody else has continued), until two looks in a row find nothing; then on and off.
 */
export class Freezer {
  private readonly held = new Map<string, Held>();
  private timer: Timer | undefined;
  private dueAtMs = Infinity;
  private lastLookMs = 0;

  constructor(private readonly clock: Clock) {}

  /** Resolves when all of it is stopped, or when it is no longer to be. */
  freeze(tree: FrozenTree): Promise<void> {
    if (!hasProc) {
      sendSignal(-tree.leader, 'SIGSTOP');
    }
    const cgroup = tree.cgroup?.freeze() === true ? tree.cgroup : undefined;
    return new Promise((resolve) => {
      this.held.set(tree.mark, {
        tree: { ...tree, cgroup },
        before: undefined,
        stopped: new Map(),
        clean: 0,
        done: [resolve],
      });
      this.schedule(0);
    });
  }

  /** Continues what was stopped, asking before each signal. At a no everything is stopped again, and it answers false. */
  thaw(mark: string, may: () => boolean): boolean {
    const held = this.held.get(mark);
    if (held === undefined || !may()) {
      return false;
    }
    // What was started and stopped since the last look is to be continued, too.
    this.note(held, readProcesses() ?? []);
    for (const seen of held.stopped.values()) {
      if (!may()) {
        held.clean = 0;
        this.schedule(0);
        return false;
      }
      signalSeen(seen, 'SIGCONT');
    }
    held.tree.cgroup?.thaw();
    if (!hasProc) {
      sendSignal(-held.tree.leader, 'SIGCONT');
    }
    this.held.delete(mark);
    return true;
  }

  /** It is being killed, or its command has ended: nothing that is known of it may stay behind stopped. */
  end(mark: string): void {
    const held = this.held.get(mark);
    if (held !== undefined) {
      this.held.delete(mark);
      [...held.stopped.values(), ...(held.before?.values() ?? [])].forEach((seen) => signalSeen(seen, 'SIGKILL'));
      held.done.forEach((done) => done());
    }
  }

  private schedule(delayMs: number): void {
    const dueAtMs = this.clock.monotonicMs() + delayMs;
    if (dueAtMs < this.dueAtMs) {
      this.timer?.cancel();
      this.dueAtMs = dueAtMs;
      this.timer = this.clock.setTimer(delayMs, () => this.look());
    }
  }

  private look(): void {
    this.dueAtMs = Infinity;
    if (this.held.size === 0) {
      return;
    }
    const startedAtMs = this.clock.monotonicMs();
    const processes = readProcesses();
    if (processes === undefined) {
      return this.schedule(URGENT_LOOK_MS);
    }
    this.held.forEach((held) => this.stop(held, processes));
    this.lastLookMs = Math.min(this.clock.monotonicMs() - startedAtMs, SLOWEST_LOOK_MS);
    const urgent = [...this.held.values()].some(({ clean }) => clean < CLEAN_LOOKS);
    this.schedule(urgent ? URGENT_LOOK_MS : Math.max(WATCH_LOOK_MS, this.lastLookMs * IDLE_FACTOR));
  }

  private stop(held: Held, processes: readonly SeenProcess[]): void {
    const running = this.note(held, processes);
    // By group, so that no fork gets away; each group once.
    new Map(running.map((seen) => [seen.processGroup, seen])).forEach((seen) => signalGroupOf(seen, 'SIGSTOP'));
    held.clean = running.length === 0 && held.tree.cgroup?.isFrozen !== false ? held.clean + 1 : 0;
    if (held.clean >= CLEAN_LOOKS) {
      held.done.splice(0).forEach((done) => done());
    }
  }

  /** Remembers what is whose and answers what still runs. */
  private note(held: Held, processes: readonly SeenProcess[]): SeenProcess[] {
    const inCgroup = new Set(held.tree.cgroup?.pids());
    const members = membersOf(processes, held.tree).filter((seen) => !isOver(seen) && !inCgroup.has(seen.pid));
    held.before ??= new Map(members.filter(isStopped).map((seen) => [keyOf(seen), seen]));
    const { before, stopped } = held;
    return members.filter((seen) => {
      const key = keyOf(seen);
      // A parent in vfork(2) and a process that waits for a disk stay in D; with SIGSTOP pending they run no further.
      const still = isStopped(seen) || (seen.state === 'D' && stopped.has(key));
      if (!still) {
        before.delete(key);
      }
      if (!before.has(key)) {
        stopped.set(key, seen);
      }
      return !still;
    });
  }
}
