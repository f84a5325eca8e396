import { type Clock, sleep } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { builtEntry } from './built-entry.js';
import { pickEnvironment } from './environment.js';
import { ExecutorStartError } from './errors.js';
import type { AttemptToRun, Executor, ExecutorEvents, OutputStreamName } from './executor.js';
import { ExecutorLink } from './executor-link.js';
import { type MarkOwner, toMarkPrefix } from './mark.js';
import { ownIdentity } from './proc.js';
import { toCancelledEnd } from './process/command-end.js';
import { describeDirectory } from './process/spawn-failure.js';
import { type Survivors, SURVIVORS_TEXT } from './survivors.js';
import { sweepUntilNone } from './sweep.js';
import type { CgroupUse, FromExecutor, HelperUse, LastWill, ToExecutor } from './wire.js';
import { within } from './within.js';

const STOP_LIMIT_MS = 5_000;
const FIRST_RESTART_MS = 50;
const MAX_RESTART_MS = 5_000;
/** One that lived this long starts the series of waits anew. */
const STEADY_MS = 10_000;

export interface ExecutorProcessParams {
  workerId: string;
  /** This object is for one session; a new one has an executor of its own. */
  session: string;
  events: ExecutorEvents;
  clock: Clock;
  logger: Logger;
  /** The worker's environment. Commands get PATH, HOME, LANG, TZ and TMPDIR of it, and what `passEnv` names. */
  environment: Readonly<Record<string, string | undefined>>;
  passEnv?: readonly string[];
  /** A cgroup for each attempt. @default off */
  cgroup?: CgroupUse;
  /** Who starts commands. @default auto */
  helpers?: HelperUse;
  /** For commands whose job names none. Default: where the worker was started. */
  cwd?: string;
  /** Whom the executor tells when the worker's process has ended. Without it nobody is told. */
  lastWill?: LastWill;
  /** The executor's compiled entry point. */
  entry?: string;
}

/** The executor as a process of its own, watched, and replaced when it is lost. */
export class ExecutorProcess implements Executor {
  private readonly owner: MarkOwner;
  private readonly cwd: string;
  private readonly numbered = new Map<number, () => void>();
  /** Handed to the present executor and not ended yet. */
  private readonly handed = new Set<string>();
  /** Arrived while there is no executor. */
  private waiting: AttemptToRun[] = [];
  private link: ExecutorLink | undefined;
  private up = false;
  private stopping = false;
  private restarts = 0;
  private upSinceMs = 0;
  private nextNumber = 0;
  private lease: ToExecutor | undefined;
  private slots: number | undefined;
  private handlers = false;
  private replacing: Promise<void> = Promise.resolve();
  private readonly stopped = new AbortController();

  constructor(private readonly params: ExecutorProcessParams) {
    this.owner = { workerId: params.workerId, session: params.session, process: ownIdentity() };
    this.cwd = params.cwd ?? process.cwd();
  }

  /** @throws {ExecutorStartError} */
  async start(): Promise<void> {
    const problem = describeDirectory(this.cwd);
    if (problem !== undefined) {
      throw new ExecutorStartError(`the directory for commands, ${JSON.stringify(this.cwd)}, ${problem}`);
    }
    await this.launch();
  }

  /** The executor's process, while there is one. */
  get pid(): number | undefined {
    return this.up ? this.link?.pid : undefined;
  }

  run(attempt: AttemptToRun, slots?: number): void {
    if (this.stopping) {
      return;
    }
    this.slots = slots;
    if (this.up) {
      this.handed.add(attempt.attemptId);
      this.send({ kind: 'run', attempt, slots });
    } else {
      this.waiting.push(attempt);
    }
  }

  recall(attemptId: string): void {
    const left = this.waiting.filter((attempt) => attempt.attemptId !== attemptId);
    if (left.length < this.waiting.length) {
      this.waiting = left;
      this.params.events.unstarted([attemptId], 'there is no executor');
    } else {
      this.send({ kind: 'recall', attemptId });
    }
  }

  cancel(attemptId: string, reason: string): void {
    const waiting = this.waiting.find((attempt) => attempt.attemptId === attemptId);
    if (waiting === undefined) {
      this.send({ kind: 'cancel', attemptId, reason });
    } else {
      this.waiting = this.waiting.filter((attempt) => attempt !== waiting);
      this.params.events.ended(toCancelledEnd(attemptId, reason, this.params.clock.wallMs()));
    }
  }

  async kill(attemptId: string): Promise<void> {
    this.waiting = this.waiting.filter((attempt) => attempt.attemptId !== attemptId);
    if (this.handed.delete(attemptId)) {
      await this.ask((number) => ({ kind: 'kill', number, attemptId }));
    }
    // Of one that is being lost right now, too, everything is dead when this resolves.
    await this.replacing;
  }

  async killAll(): Promise<void> {
    this.waiting = [];
    this.handed.clear();
    await this.ask((number) => ({ kind: 'killAll', number }));
    await this.replacing;
  }

  renewLease(sentAtUptimeMs: number, leaseMs: number): void {
    this.lease = { kind: 'lease', sentAtUptimeMs, leaseMs };
    this.send(this.lease);
  }

  confirmHeld(attemptIds: readonly string[], sentAtUptimeMs: number): void {
    this.send({ kind: 'held', attemptIds, sentAtUptimeMs });
  }

  acknowledgeOutput(attemptId: string, stream: OutputStreamName, endOffset: number): void {
    this.send({ kind: 'acknowledge', attemptId, stream, endOffset });
  }

  /**
   * Handlers run in the worker's process. While they do, the executor ends that process if it has not heard that they
   * have ended one second after the lease.
   */
  reportHandlers(running: boolean): void {
    this.handlers = running;
    this.send({ kind: 'handlers', running });
  }

  async stop(): Promise<void> {
    if (this.stopping) {
      return this.replacing;
    }
    this.stopping = true;
    this.waiting = [];
    this.handed.clear();
    const { clock } = this.params;
    await within(
      clock,
      STOP_LIMIT_MS,
      this.ask((number) => ({ kind: 'stop', number })),
    );
    this.stopped.abort();
    this.up = false;
    await this.link?.end();
    await this.sweep();
    await this.replacing;
  }

  private async launch(): Promise<void> {
    const { cgroup, clock, entry, environment, helpers, lastWill, passEnv } = this.params;
    const link = new ExecutorLink({
      clock,
      entry: entry ?? builtEntry('executor-main'),
      setup: {
        owner: this.owner,
        lastWill,
        cgroup: cgroup ?? 'off',
        helpers: helpers ?? 'auto',
        cwd: this.cwd,
        baseEnvironment: pickEnvironment(environment, passEnv),
      },
      onMessage: (message) => this.accept(message),
      onLost: (detail) => this.lost(link, detail),
    });
    this.link = link;
    await link.start();
    if (this.stopping) {
      return;
    }
    this.up = true;
    this.upSinceMs = clock.monotonicMs();
    if (this.lease !== undefined) {
      this.send(this.lease);
    }
    this.send({ kind: 'handlers', running: this.handlers });
    this.waiting.splice(0).forEach((attempt) => this.run(attempt, this.slots));
  }

  private accept(message: FromExecutor): void {
    const { events, logger } = this.params;
    switch (message.kind) {
      case 'started':
        return this.handed.has(message.attemptId)
          ? events.started(message.attemptId, message.pid, message.startedAtWallMs)
          : undefined;
      case 'output':
        return this.handed.has(message.chunk.attemptId) ? events.output(message.chunk) : undefined;
      case 'ended':
        return this.handed.delete(message.end.attemptId) ? events.ended(message.end) : undefined;
      case 'leaseLost':
        return events.leaseLost(message.attemptIds.filter((attemptId) => this.handed.delete(attemptId)));
      case 'frozen':
        return events.frozen?.(message.attemptIds.filter((attemptId) => this.handed.has(attemptId)));
      case 'thawed':
        return events.thawed?.(message.attemptIds.filter((attemptId) => this.handed.has(attemptId)));
      case 'freezeLimitReached':
        return events.freezeLimitReached?.(message.attemptIds.filter((attemptId) => this.handed.delete(attemptId)));
      case 'recalled':
        return events.unstarted(
          message.attemptIds.filter((attemptId) => this.handed.delete(attemptId)),
          message.detail,
        );
      case 'unstarted':
        return this.unstarted(message.attemptIds, message.detail);
      case 'lost':
        return this.lostByHelper(message.attemptIds, message.detail);
      case 'done':
        this.numbered.get(message.number)?.();
        this.numbered.delete(message.number);
        return;
      case 'log':
        return logger[message.level](message.message, message.fields);
      default:
        return;
    }
  }

  private unstarted(attemptIds: readonly string[], detail: string): void {
    const { events, logger } = this.params;
    const ours = attemptIds.filter((attemptId) => this.handed.delete(attemptId));
    if (ours.length > 0) {
      logger.warn('This machine cannot start commands now: they are given back', { attempts: ours.length, detail });
      events.unstarted(ours, detail);
    }
  }

  private lostByHelper(attemptIds: readonly string[], detail: string): void {
    const { events, logger } = this.params;
    const ours = attemptIds.filter((attemptId) => this.handed.delete(attemptId));
    if (ours.length > 0) {
      logger.warn('A helper of the executor was lost: what it ran is ended', { attempts: ours.length, detail });
      events.executorLost(ours, detail);
    }
  }

  private lost(link: ExecutorLink, detail: string): void {
    if (link === this.link && this.up && !this.stopping) {
      this.up = false;
      this.replacing = this.replace(detail);
    }
  }

  /** Nothing of it is left before anybody hears of it: the attempts may be given away then. */
  private async replace(detail: string): Promise<void> {
    const { clock, events, logger } = this.params;
    logger.warn('The executor was lost: what it ran is ended, and another one is started', { detail });
    await this.sweep();
    const lost = [...this.handed];
    this.handed.clear();
    this.numbered.forEach((done) => done());
    this.numbered.clear();
    events.executorLost(lost, detail);
    void this.relaunch(clock.monotonicMs() - this.upSinceMs >= STEADY_MS);
  }

  /** Again and again, if need be: what is assigned meanwhile is handed back at each failure, so that nothing waits here. */
  private async relaunch(wasSteady: boolean): Promise<void> {
    const { clock, events, logger } = this.params;
    this.restarts = wasSteady ? 0 : this.restarts;
    while (!this.stopping) {
      await sleep(clock, Math.min(FIRST_RESTART_MS * 2 ** this.restarts, MAX_RESTART_MS), this.stopped.signal);
      this.restarts += 1;
      if (this.stopping) {
        return;
      }
      try {
        return await this.launch();
      } catch (error) {
        if (this.stopping) {
          return;
        }
        logger.error('The executor could not be started again', { error: String(error) });
        const unstarted = this.waiting.splice(0).map(({ attemptId }) => attemptId);
        if (unstarted.length > 0) {
          events.executorLost(unstarted, String(error));
        }
      }
    }
  }

  private async sweep(): Promise<void> {
    const prefix = toMarkPrefix(this.owner);
    const { clock, logger } = this.params;
    const onSurvivors = (survivors: Survivors): void => logger.error(SURVIVORS_TEXT, { ...survivors });
    await sweepUntilNone({
      clock,
      matches: (mark) => mark.startsWith(prefix),
      onSurvivors,
    });
    await this.link?.removeDirectories(onSurvivors);
  }

  private ask(toMessage: (number: number) => ToExecutor): Promise<void> {
    if (!this.up) {
      return Promise.resolve();
    }
    this.nextNumber += 1;
    const number = this.nextNumber;
    return new Promise((resolve) => {
      this.numbered.set(number, resolve);
      this.send(toMessage(number));
    });
  }

  private send(message: ToExecutor): void {
    if (this.up) {
      this.link?.channel.send(message);
    }
  }
}
