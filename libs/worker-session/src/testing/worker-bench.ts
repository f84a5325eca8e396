import { type Random, systemClock, systemRandom } from '@orchestrator/core';
import { uptimeMs } from '@orchestrator/execution';
import { silentLogger } from '@orchestrator/telemetry';

import { GrpcTransport } from '../grpc-transport.js';
import { OrchestratorWorker, type WorkerParams } from '../worker.js';
import { FakeRunner } from './fake-runner.js';
import { IDENTITY } from './session-bench.js';

/** A spec that leaves something unrecorded does not wait long for it. */
const RECORD_LIMIT_MS = 300;

/** Addresses are dialed in the order in which they are given; each wait is as long as it may be. */
const IN_ORDER: Random = { next: () => 0.999_999, hex: (bytes) => systemRandom.hex(bytes) };

export interface BenchOptions extends Partial<Omit<WorkerParams, 'identity'>> {
  schedulers: readonly string[];
  slots?: number;
  joinToken?: string;
  /** The first runners fail to start, each with its error. */
  failStarts?: Error[];
}

/** A whole worker on the real clock over real gRPC, by default with runners that run nothing. */
export class WorkerBench {
  readonly runners: FakeRunner[] = [];
  readonly sessions: string[] = [];
  readonly worker: OrchestratorWorker;

  constructor({ slots = 2, joinToken, failStarts = [], ...options }: BenchOptions) {
    this.worker = new OrchestratorWorker({
      identity: { ...IDENTITY, slots },
      drainTimeoutMs: 30_000,
      recordLimitMs: RECORD_LIMIT_MS,
      transport: new GrpcTransport({ joinToken: () => joinToken, clock: systemClock }),
      createRunner: (session, events) => {
        const runner = new FakeRunner(events, failStarts.shift());
        this.runners.push(runner);
        this.sessions.push(session);
        return runner;
      },
      endLeftovers: () => Promise.resolve(),
      usage: () => ({ load: 0, memoryUsedBytes: 1, memoryTotalBytes: 2 }),
      uptimeMs,
      clock: systemClock,
      random: IN_ORDER,
      logger: silentLogger,
      ...options,
    });
  }

  get runner(): FakeRunner {
    return this.runners.at(-1) as FakeRunner;
  }

  /** Ends it, whatever it holds: what runs counts as lost. */
  async end(): Promise<void> {
    const stopping = this.worker.stop();
    for (const { events, ran } of this.runners) {
      events.executorLost(ran, 'the spec has ended');
    }
    await stopping;
  }
}
