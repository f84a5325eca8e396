import type { Clock, OnLeaseLost } from '@orchestrator/core';

import type { Cgroup } from '../cgroup.js';
import type { AttemptToRun, ExecutorEnd } from '../executor.js';
import type { FrameChannel } from '../frames.js';
import { HELPER_ROLE, toMark } from '../mark.js';
import { hasProc } from '../proc.js';
import { SURVIVORS_TEXT } from '../survivors.js';
import type { ExecutorSetup, FromExecutor, ToExecutor } from '../wire.js';
import { CommandAttempt } from './command-attempt.js';
import { toCancelledEnd } from './command-end.js';
import { Freezer } from './freezer.js';
import { FrozenAttempts } from './frozen-attempts.js';
import { Guard } from './guard.js';
import { HelperPool } from './helper-pool.js';
import { helperPrograms, PERL_HELPER } from './helper-programs.js';
import { LeaseWatch } from './lease-watch.js';
import { LiveOutput } from './live-output.js';
import { MarkSweeper } from './mark-sweeper.js';
import { commandsOomScore, createOomRaiser } from './oom-score.js';
import { PipePool } from './pipe-pool.js';
import { SessionCgroup } from './session-cgroup.js';
import { StartRetries } from './start-retries.js';
import { WorkerEnd } from './worker-end.js';

/** Started in one turn of the event loop; in between, pipes are read and ends noticed. */
const STARTS_PER_TURN = 4;
const PIPES_PER_START = 3;

export interface ExecutorServerParams {
  clock: Clock;
  uptimeMs: () => number;
  channel: FrameChannel<FromExecutor, ToExecutor>;
  exit: (code: number) => void;
}

/** The executor: does what its worker asks, and the right thing when its worker is gone, stopped or cut off. */
export class ExecutorServer {
  private readonly attempts = new Map<string, CommandAttempt>();
  private readonly sweeper: MarkSweeper;
  private readonly live: LiveOutput;
  private readonly lease: LeaseWatch;
  private readonly freezer: Freezer;
  private readonly frozen: FrozenAttempts;
  private cgroups: SessionCgroup | undefined;
  /** None where there is no `/proc`: what they start is looked for and read through it. */
  private helpers: HelperPool | undefined;
  private readonly raiseOom = createOomRaiser();
  private readonly pipes: PipePool;
  private readonly retries: StartRetries;
  private waiting: AttemptToRun[] = [];
  /** So many run at once; those that wait stand by for one of them to end. */
  private slots = Infinity;
  private pumping = false;
  private setup: ExecutorSetup | undefined;
  private workerEnd: WorkerEnd | undefined;
  private stopping = false;

  constructor(private readonly params: ExecutorServerParams) {
    const { channel, clock, uptimeMs } = params;
    this.sweeper = new MarkSweeper(clock, (survivors) => this.log(SURVIVORS_TEXT, { ...survivors }));
    this.pipes = new PipePool(clock);
    this.live = new LiveOutput({
      clock,
      send: (chunk) => channel.send({ kind: 'output', chunk }),
      congested: () => channel.congested,
    });
    this.retries = new StartRetries({
      clock,
      again: (attempts) => {
        this.waiting.unshift(...attempts);
        this.pump();
      },
      giveBack: (attemptIds, detail) => channel.send({ kind: 'unstarted', attemptIds, detail }),
    });
    this.lease = new LeaseWatch({
      clock,
      uptimeMs,
      quiet: () => channel.quiet(),
      onExpired: () => void this.loseLease(),
    });
    this.freezer = new Freezer(clock);
    this.frozen = new FrozenAttempts({
      clock,
      uptimeMs,
      lease: this.lease,
      attempt: (attemptId) => this.attempts.get(attemptId),
      kill: (attemptIds) => this.kill(attemptIds),
      send: (message) => channel.send(message),
    });
  }

  accept(message: ToExecutor): void {
    switch (message.kind) {
      case 'setup':
        return this.begin(message.setup);
      case 'run':
        this.slots = message.slots ?? Infinity;
        this.waiting.push(message.attempt);
        return this.pump();
      case 'recall':
        return this.recall(message.attemptId);
      case 'cancel':
        return this.cancel(message.attemptId, message.reason);
      case 'kill':
        return void this.kill([message.attemptId]).then(() => this.done(message.number));
      case 'killAll':
        return void this.kill(this.allIds()).then(() => this.done(message.number));
      case 'stop':
        this.stopping = true;
        return void this.kill(this.allIds()).then(() => this.stop(message.number));
      case 'lease':
        return this.lease.renew(message.sentAtUptimeMs, message.leaseMs);
      case 'held':
        return this.frozen.confirm(message.attemptIds, message.sentAtUptimeMs);
      case 'acknowledge':
        return this.attempts.get(message.attemptId)?.output.acknowledge(message.stream, message.endOffset);
      case 'handlers':
        return this.workerEnd?.handlersRunning(message.running);
      case 'ping':
        return this.params.channel.send({ kind: 'pong', number: message.number });
    }
  }

  /** The pipe to the worker is closed: its process has ended. Everything is killed, the schedulers are told, and that is all. */
  async workerGone(): Promise<void> {
    if (!this.stopping) {
      this.stopping = true;
      const dead = this.kill(this.allIds());
      await this.workerEnd?.afterPipeClosed(dead);
    }
    this.pipes.remove();
    this.cgroups?.cgroup.remove();
    this.params.exit(0);
  }

  private begin(setup: ExecutorSetup): void {
    const { channel, clock } = this.params;
    this.setup = setup;
    this.openCgroups(setup);
    this.workerEnd = new WorkerEnd({ clock, setup });
    const cgroup = this.cgroups?.cgroup.directory;
    if (hasProc) {
      new Guard({ setup, clock, directory: this.pipes.directory, cgroup }).start();
      this.helpers = new HelperPool({
        clock,
        use: setup.helpers,
        programs: setup.helpers === 'always-perl' ? [PERL_HELPER] : helperPrograms(),
        setup: { oomScore: String(commandsOomScore() ?? ''), baseEnvironment: setup.baseEnvironment },
        toMark: (number) => toMark(setup.owner, `${HELPER_ROLE}-${number}`),
        kill: (mark) => this.sweeper.kill(mark),
        log: (message, fields) => this.log(message, fields, 'info'),
      });
    } else {
      this.log('There is no /proc: what leaves its process group is not found, and nobody guards the executor', {});
    }
    channel.send({ kind: 'ready', directory: this.pipes.directory, cgroup });
  }

  private openCgroups({ cgroup, owner }: ExecutorSetup): void {
    const opened = cgroup === 'auto' ? SessionCgroup.open(owner, this.params.clock) : undefined;
    if (typeof opened === 'string') {
      this.log('Commands are not in cgroups: what escapes session and mark is not found', { reason: opened }, 'info');
    } else {
      this.cgroups = opened;
    }
  }

  /** What is about to be tried again keeps its slot. */
  private get mayStart(): number {
    return Math.max(0, Math.min(this.waiting.length, this.slots - this.attempts.size - this.retries.size));
  }

  /** In the order of their arrival. Nothing starts without a lease; a renewal may still be in the pipe. */
  private pump(): void {
    const isRefused = this.waiting.length > 0 && this.lease.hasExpired;
    if (!this.pumping && (this.mayStart > 0 || isRefused)) {
      this.pumping = true;
      setImmediate(() => void this.startSome());
    }
  }

  private async startSome(): Promise<void> {
    await this.pipes.reserve(STARTS_PER_TURN * PIPES_PER_START);
    await this.helpers?.reserve(STARTS_PER_TURN);
    if (!this.lease.valid) {
      await this.params.channel.quiet();
    }
    if (this.lease.valid) {
      for (const attempt of this.waiting.splice(0, Math.min(this.mayStart, STARTS_PER_TURN))) {
        this.start(attempt);
      }
    } else {
      this.refuse(this.waiting.splice(0));
    }
    this.pumping = false;
    this.pump();
  }

  private start(attempt: AttemptToRun): void {
    const { attemptId } = attempt;
    const { channel, clock } = this.params;
    if (this.setup === undefined || this.stopping) {
      return;
    }
    const cgroup = this.cgroups?.create();
    const cwd = attempt.cwd ?? this.setup.cwd;
    const command = new CommandAttempt({
      attempt,
      mark: toMark(this.setup.owner, attemptId),
      cwd,
      baseEnvironment: this.setup.baseEnvironment,
      clock,
      sweeper: this.sweeper,
      freezer: this.freezer,
      mayTerminate: () => attempt.onLeaseLost === 'continue' || this.lease.valid,
      live: this.live,
      pipes: this.pipes,
      cgroup,
      takeBack: (used) => this.cgroups?.takeBack(used) === true,
      launch: (spawn) => this.launch(cgroup, spawn),
      takeHelper: () => this.helpers?.take(attempt, cwd),
      onSurvivors: (survivors) => this.log(SURVIVORS_TEXT, { ...survivors }),
      onStarted: (pid, startedAtWallMs) =>
        channel.sendLater(clock, { kind: 'started', attemptId, pid, startedAtWallMs }),
      onEnded: (end) => {
        this.retries.remove(attemptId);
        this.tellEnd(end);
        this.leave(attemptId);
      },
      onUnable: (detail) => {
        this.retries.add(attempt, detail);
        this.leave(attemptId);
      },
      onLost: (detail) => {
        this.retries.remove(attemptId);
        channel.send({ kind: 'lost', attemptIds: [attemptId], detail });
        this.leave(attemptId);
      },
    });
    this.attempts.set(attemptId, command);
    command.start();
  }

  /** While more stand by than start next it is told with others: its slot is not waiting for the worker's next word. */
  private tellEnd(end: ExecutorEnd): void {
    const { channel, clock } = this.params;
    if (this.waiting.length > this.slots) {
      channel.sendLater(clock, { kind: 'ended', end });
    } else {
      channel.send({ kind: 'ended', end });
    }
  }

  /** Its slot is the next one's. */
  private leave(attemptId: string): void {
    this.attempts.delete(attemptId);
    this.pump();
  }

  private launch<T>(cgroup: Cgroup | undefined, spawn: () => T): T {
    const raised = (): T => this.raiseOom(spawn);
    return cgroup === undefined || this.cgroups === undefined ? raised() : this.cgroups.spawnIn(cgroup, raised);
  }

  private refuse(attempts: readonly AttemptToRun[]): void {
    attempts.forEach(({ attemptId }) => this.retries.remove(attemptId));
    this.tellUnstarted(
      attempts.map(({ attemptId }) => attemptId),
      'the lease had run out',
    );
  }

  private tellUnstarted(attemptIds: string[], detail: string): void {
    if (attemptIds.length > 0) {
      this.params.channel.send({ kind: 'recalled', attemptIds, detail });
    }
  }

  private recall(attemptId: string): void {
    const left = this.waiting.filter((attempt) => attempt.attemptId !== attemptId);
    if (left.length < this.waiting.length) {
      this.waiting = left;
      this.retries.remove(attemptId);
      this.tellUnstarted([attemptId], 'no slot became free in time');
    }
  }

  private cancel(attemptId: string, reason: string): void {
    const waits = this.waiting.some((attempt) => attempt.attemptId === attemptId);
    if (!waits && !this.retries.remove(attemptId)) {
      this.attempts.get(attemptId)?.cancel(reason);
    } else {
      this.waiting = this.waiting.filter((attempt) => attempt.attemptId !== attemptId);
      const startedAtWallMs = this.params.clock.wallMs();
      this.params.channel.send({ kind: 'ended', end: toCancelledEnd(attemptId, reason, startedAtWallMs) });
      this.pump();
    }
  }

  private async kill(attemptIds: readonly string[]): Promise<void> {
    const doomed = new Set(attemptIds);
    this.waiting = this.waiting.filter((attempt) => !doomed.has(attempt.attemptId));
    doomed.forEach((attemptId) => this.retries.remove(attemptId));
    await Promise.all(
      attemptIds.map(async (attemptId) => {
        await this.attempts.get(attemptId)?.kill();
        this.leave(attemptId);
      }),
    );
  }

  /** Everything is stopped or killed at the same time, and neither waits for the other. */
  private async loseLease(): Promise<void> {
    const by = (policy: OnLeaseLost): CommandAttempt[] =>
      [...this.attempts.values()].filter((attempt) => attempt.onLeaseLost === policy);
    this.workerEnd?.leaseLost();
    const frozen = by('freeze');
    this.frozen.freeze(frozen);
    this.refuse(this.waiting.splice(0));
    const killed = by('kill').map(({ attemptId }) => attemptId);
    await this.kill(killed);
    // Not before: whoever hears of it may give them to somebody else.
    this.params.channel.send({ kind: 'leaseLost', attemptIds: killed });
    if (killed.length + frozen.length > 0) {
      const counts = { killed: killed.length, frozen: frozen.length };
      this.log('The lease ran out: everything was killed or stopped, as its job says', counts);
    }
  }

  private stop(number: number): void {
    this.done(number);
    this.params.channel.flush();
  }

  private allIds(): string[] {
    const unstarted = this.waiting.map((attempt) => attempt.attemptId);
    return [...this.attempts.keys(), ...unstarted, ...this.retries.ids()];
  }

  private done(number: number): void {
    this.params.channel.send({ kind: 'done', number });
  }

  private log(message: string, fields: Record<string, unknown>, level: 'info' | 'warn' = 'warn'): void {
    this.params.channel.send({ kind: 'log', level, message, fields });
  }
}
