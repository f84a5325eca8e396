import { type Clock, type Random, sleep } from '@orchestrator/core';
import { createDeferred, type Service, withTimeout } from '@orchestrator/lifecycle';
import { GoneReason } from '@orchestrator/proto-types';
import type { Logger } from '@orchestrator/telemetry';

import { Connector } from './connector.js';
import { Dialing } from './dialing.js';
import { Drain, type DrainTarget, RECORD_LIMIT_MS } from './drain.js';
import { JoinRefusedError } from './errors.js';
import type { RunnerFactory } from './runner.js';
import { WorkerSession } from './session.js';
import type { WorkerIdentity, WorkerUsage } from './session-params.js';
import { START_LIMIT_MS, StartRetries } from './start-retries.js';
import type { SchedulerTransport } from './transport.js';

export interface WorkerParams {
  identity: WorkerIdentity;
  /** Addresses, dialed in turn. */
  schedulers: readonly string[];
  /** 0 = without limit. */
  drainTimeoutMs: number;
  /** After the last attempt has ended its report may take this long to be recorded. Default `RECORD_LIMIT_MS`. */
  recordLimitMs?: number;
  /** What runs attempts may fail to start for this long. Default `START_LIMIT_MS`. */
  startLimitMs?: number;
  transport: SchedulerTransport;
  createRunner: RunnerFactory;
  /** Ends what earlier sessions of this worker's id left on this host. */
  endLeftovers: () => Promise<void>;
  usage: () => WorkerUsage;
  uptimeMs: () => number;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/** How a worker's life ended. The values are what the process exits with. */
export const WORKER_EXITS = { drained: 0, joinRefused: 3, superseded: 4 } as const;

type Exit = keyof typeof WORKER_EXITS | 'dead' | 'not_started';

const NOTHING_HELD: DrainTarget = {
  isBusy: false,
  isEmpty: true,
  drain: () => undefined,
  handBack: () => undefined,
};

const SESSION_BYTES = 16;
const GOODBYE_LIMIT_MS = 2_000;
const GONE_LIMIT_MS = 2_000;

/** A worker: one session after the other (a new one only after a death was declared), until it is drained or refused. */
export class OrchestratorWorker implements Service {
  readonly name = 'worker';
  private readonly dialing: Dialing;
  private readonly drain: Drain;
  private readonly startRetries: StartRetries;
  private readonly drained = createDeferred();
  private readonly over = createDeferred<number>();
  private session: WorkerSession | undefined;
  private living: Promise<void> | undefined;
  private isOver = false;

  constructor(private readonly params: WorkerParams) {
    this.dialing = new Dialing(params.schedulers, params.random);
    const { clock, logger, startLimitMs = START_LIMIT_MS } = params;
    this.startRetries = new StartRetries({ clock, logger, limitMs: startLimitMs });
    this.drain = new Drain({
      target: () => this.drainTarget(),
      timeoutMs: params.drainTimeoutMs,
      recordLimitMs: params.recordLimitMs ?? RECORD_LIMIT_MS,
      clock: params.clock,
      logger: params.logger,
      onDone: () => this.drained.resolve(),
    });
  }

  /** Resolves with the exit code when the worker is done; rejects when it cannot run at all. */
  get ended(): Promise<number> {
    return this.over.promise;
  }

  async start(): Promise<void> {
    if (this.living === undefined) {
      this.living = this.live();
      this.living.catch((error: unknown) => this.over.reject(error));
    }
    return Promise.resolve();
  }

  /** Drains, unless it is over already; resolves when everything has ended. */
  async stop(): Promise<void> {
    if (!this.isOver) {
      this.drain.begin(true);
    }
    await this.living?.catch(() => undefined);
  }

  private async live(): Promise<void> {
    await this.params.endLeftovers();
    for (;;) {
      const exit = this.drain.isDraining ? 'drained' : await this.liveOnce();
      if (exit === 'dead') {
        await sleep(this.params.clock, this.dialing.again());
      } else if (exit !== 'not_started') {
        this.isOver = true;
        this.over.resolve(WORKER_EXITS[exit]);
        return;
      }
    }
  }

  private async liveOnce(): Promise<Exit> {
    const { clock, logger, transport, random } = this.params;
    const connector = new Connector({ transport, dialing: this.dialing, clock, logger });
    const session = new WorkerSession({
      ...this.params,
      id: random.hex(SESSION_BYTES),
      link: connector,
      onChange: () => this.drain.check(),
      onDrain: (reason) => {
        logger.info('drained over REST', { reason });
        this.drain.begin(false);
      },
    });
    this.session = session;
    const stopDialing = new AbortController();
    let dialing: Promise<Exit> | undefined;
    try {
      if (!(await this.startRunner(session))) {
        return 'not_started';
      }
      dialing = connector.run(session, stopDialing.signal).then(() => 'drained');
      const drained = this.drained.promise.then((): Exit => 'drained');
      const exit = await Promise.race([dialing, drained, session.ended.then((end) => end.kind)]);
      if (exit === 'superseded') {
        stopDialing.abort();
        await this.sayGone(connector.address, session.id);
      } else if (exit === 'drained' && session.isLinked) {
        await withTimeout(clock, GOODBYE_LIMIT_MS, 'the Goodbye', session.sayGoodbye()).catch(() => undefined);
        await connector.finish(GOODBYE_LIMIT_MS);
      }
      return exit;
    } catch (error) {
      if (error instanceof JoinRefusedError) {
        logger.error('this worker was refused', { detail: error.message });
        return 'joinRefused';
      }
      throw error;
    } finally {
      stopDialing.abort();
      await dialing?.catch(() => undefined);
      await session.close();
    }
  }

  /** Whether it could be started; if not, what was to be waited until the next try has been waited. */
  private async startRunner({ runner }: WorkerSession): Promise<boolean> {
    try {
      await runner.start();
      this.startRetries.succeeded();
      return true;
    } catch (error) {
      const stop = new AbortController();
      await Promise.race([this.startRetries.failed(error, stop.signal), this.drained.promise]);
      stop.abort();
      return false;
    }
  }

  /** Everything is dead: its jobs may move at once, for free. Without this word they wait for the end of the lease. */
  private async sayGone(address: string, session: string): Promise<void> {
    const { transport, identity, logger } = this.params;
    const detail = 'a newer process has the id of this worker';
    try {
      const request = { workerId: identity.workerId, session, reason: GoneReason.SUPERSEDED, detail };
      await transport.gone(address, request, GONE_LIMIT_MS);
    } catch (error) {
      logger.warn('nobody took the last will of this session', { session, error });
    }
  }

  private drainTarget(): DrainTarget {
    const { session } = this;
    if (session === undefined) {
      return NOTHING_HELD;
    }
    return {
      isBusy: session.flow.isBusy,
      isEmpty: session.isEmpty,
      drain: () => session.drain(),
      handBack: () => session.flow.returnRunning('drained'),
    };
  }
}
