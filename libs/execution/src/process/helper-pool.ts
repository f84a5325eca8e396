import type { Clock, Timer } from '@orchestrator/core';

import type { AttemptToRun } from '../executor.js';
import type { HelperUse } from '../wire.js';
import { CommandHelper } from './command-helper.js';
import type { HelperProgram } from './helper-programs.js';
import { areVariablesPlain, type HelperSetup, suitsHelpers } from './helper-wire.js';

/** This many starts within a second: from then on helpers do it. Fewer are not worth a helper. */
const HOT_STARTS = 8;
const HOT_MS = 1_000;
/** Each takes two megabytes, also while it waits for a long command. */
const MAX_HELPERS = 32;
const IDLE_LIMIT_MS = 10_000;
/** After one that could not begin, whatever it is: no process left. */
const PAUSE_MS = 10_000;

const HAND_OVER_LOOK_MS = 5;
const WATCH_LOOK_MS = 500;

export interface HelperPoolParams {
  clock: Clock;
  use: HelperUse;
  /** What a helper can be, best first: the first one that can begin is taken. At least one. */
  programs: readonly HelperProgram[];
  setup: HelperSetup;
  toMark: (number: number) => string;
  /** Kills all that has the mark; resolves when nothing has. */
  kill: (mark: string) => Promise<void>;
  log: (message: string, fields: Record<string, unknown>) => void;
}

/**
 * The helpers that start commands while many are started. They come one by one as they are needed, and go when they have
 * had nothing to do for ten seconds. The first commands, and those no helper is free for, are started by this process.
 */
export class HelperPool {
  private readonly helpers = new Set<CommandHelper>();
  /** Of `programs`: those before it cannot begin. */
  private program = 0;
  /** The last one that became free is taken first. */
  private idle: CommandHelper[] = [];
  private changed: (() => void)[] = [];
  private readonly startsAtMs: number[] = [];
  private made = 0;
  private pausedUntilMs = -Infinity;
  private handOverTimer: Timer | undefined;
  private watchTimer: Timer | undefined;
  private leastIdle = 0;
  private idleSinceMs = 0;

  constructor(private readonly params: HelperPoolParams) {
    if (!areVariablesPlain(params.setup.baseEnvironment)) {
      this.pausedUntilMs = Infinity;
    }
  }

  /** Where all commands are to go through helpers: resolves when so many are free, or cannot be had. */
  async reserve(count: number): Promise<void> {
    while (this.usesAlways && this.idle.length < count && this.mayAdd) {
      this.add();
      await new Promise<void>((resolve) => this.changed.push(resolve));
    }
  }

  /** For a command that is to be started now. */
  take(attempt: AttemptToRun, cwd: string): CommandHelper | undefined {
    const { clock, use } = this.params;
    const isWanted = this.usesAlways || (use === 'auto' && this.isHot());
    if (!isWanted || !suitsHelpers(attempt, cwd)) {
      return undefined;
    }
    const helper = this.idle.pop();
    this.leastIdle = Math.min(this.leastIdle, this.idle.length);
    if (helper === undefined) {
      this.add();
      return undefined;
    }
    this.handOverTimer ??= clock.setTimer(HAND_OVER_LOOK_MS, () => this.handOver());
    return helper;
  }

  private get usesAlways(): boolean {
    return this.params.use === 'always' || this.params.use === 'always-perl';
  }

  private isHot(): boolean {
    const now = this.params.clock.monotonicMs();
    if (this.startsAtMs.push(now) > HOT_STARTS) {
      this.startsAtMs.shift();
    }
    return this.startsAtMs.length === HOT_STARTS && now - (this.startsAtMs[0] ?? now) <= HOT_MS;
  }

  private get mayAdd(): boolean {
    return this.helpers.size < MAX_HELPERS && this.params.clock.monotonicMs() >= this.pausedUntilMs;
  }

  /** One at a time: each costs this process a fork, and the one before may be enough. */
  private add(): void {
    if (!this.mayAdd || [...this.helpers].some((helper) => helper.isStarting)) {
      return;
    }
    const { clock, kill, programs, setup, toMark } = this.params;
    const program = programs[this.program] as HelperProgram;
    this.made += 1;
    try {
      const helper: CommandHelper = new CommandHelper({
        program,
        setup,
        mark: toMark(this.made),
        kill,
        onIdle: () => this.free(helper),
        onGone: (wasReady, detail) => this.forget(helper, wasReady, detail),
      });
      this.helpers.add(helper);
      this.watchTimer ??= clock.setTimer(WATCH_LOOK_MS, () => this.watch());
    } catch (error) {
      this.pause(String(error));
    }
  }

  private free(helper: CommandHelper): void {
    this.idle.push(helper);
    this.changed.splice(0).forEach((resolve) => resolve());
  }

  private forget(helper: CommandHelper, wasReady: boolean, detail: string): void {
    this.helpers.delete(helper);
    this.idle = this.idle.filter((one) => one !== helper);
    if (!wasReady && this.program + 1 < this.params.programs.length) {
      this.program += 1;
      this.add();
    } else if (!wasReady) {
      this.pause(detail);
    }
  }

  private pause(reason: string): void {
    const { clock, log } = this.params;
    this.pausedUntilMs = clock.monotonicMs() + PAUSE_MS;
    this.program = 0;
    log('No helper can be started: the executor starts commands itself, and tries again', { reason });
    this.changed.splice(0).forEach((resolve) => resolve());
  }

  private handOver(): void {
    const { clock } = this.params;
    const now = clock.monotonicMs();
    this.helpers.forEach((helper) => helper.handOver(now));
    const again = [...this.helpers].some((helper) => helper.isToBeHandedOver);
    this.handOverTimer = again ? clock.setTimer(HAND_OVER_LOOK_MS, () => this.handOver()) : undefined;
  }

  private watch(): void {
    const { clock } = this.params;
    for (const helper of this.helpers) {
      if (!helper.watch()) {
        helper.kill();
      }
    }
    this.dismissIdle(clock.monotonicMs());
    this.watchTimer = this.helpers.size > 0 ? clock.setTimer(WATCH_LOOK_MS, () => this.watch()) : undefined;
  }

  /** Those that were not needed at any moment of the last ten seconds. */
  private dismissIdle(now: number): void {
    if (now - this.idleSinceMs >= IDLE_LIMIT_MS) {
      this.idle.splice(0, this.leastIdle).forEach((helper) => helper.dismiss());
      this.leastIdle = this.idle.length;
      this.idleSinceMs = now;
    }
  }
}
