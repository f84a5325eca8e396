import type { WorkerMessage } from '@orchestrator/proto-types';
import { type LogFields, silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { WorkerSession } from '../session.js';
import type { WorkerIdentity } from '../session-params.js';
import { FakeRunner } from './fake-runner.js';
import { welcome } from './messages.js';

export const IDENTITY: WorkerIdentity = {
  workerId: 'worker-1',
  pools: ['default'],
  slots: 2,
  labels: {},
  version: '0.1.0',
  host: 'here',
  pid: 1,
};

/** A session on a clock that a spec moves, over a link that only counts. */
export class SessionBench {
  readonly clock = new ManualClock();
  readonly left: string[] = [];
  readonly drains: string[] = [];
  readonly warnings: [string, LogFields | undefined][] = [];
  runner!: FakeRunner;
  readonly session: WorkerSession;

  constructor(identity: Partial<WorkerIdentity> = {}) {
    this.session = new WorkerSession({
      id: 'session-1',
      identity: { ...IDENTITY, ...identity },
      clock: this.clock,
      uptimeMs: () => this.clock.monotonicMs(),
      createRunner: (_, events) => (this.runner = new FakeRunner(events)),
      usage: () => ({ load: 0, memoryUsedBytes: 1, memoryTotalBytes: 2 }),
      logger: { ...silentLogger, warn: (message, fields) => this.warnings.push([message, fields]) },
      link: {
        wake: () => undefined,
        wakeOutput: () => undefined,
        welcomed: () => undefined,
        leave: (reason) => this.left.push(reason),
      },
      onChange: () => undefined,
      onDrain: (reason) => this.drains.push(reason),
    });
  }

  /** Everything that would be sent now. */
  sent(): WorkerMessage[] {
    const messages: WorkerMessage[] = [];
    for (let next = this.session.pull(); next !== undefined; next = this.session.pull()) {
      messages.push(next);
    }
    return messages;
  }

  /** A link with its Hello answered. */
  welcomed(): this {
    this.session.attach();
    this.sent();
    this.session.receive(welcome());
    return this;
  }

  /** Lets promises that are settled take effect. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
