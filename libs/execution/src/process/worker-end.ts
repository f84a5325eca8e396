import { type Clock, sleep, type Timer } from '@orchestrator/core';

import { isAlive, sendSignal } from '../proc.js';
import type { ExecutorSetup } from '../wire.js';

/** After the lease the worker has this long to report that its handlers have ended. */
const HANDLERS_GRACE_MS = 1_000;
/** A process whose files are closed is all but dead. One that is not after this is killed. */
const DYING_MS = 1_000;
const LOOK_EVERY_MS = 20;

export interface WorkerEndParams {
  clock: Clock;
  setup: ExecutorSetup;
}

/** What the executor does to, and after, its worker's process. */
export class WorkerEnd {
  private running = false;
  private timer: Timer | undefined;

  constructor(private readonly params: WorkerEndParams) {}

  handlersRunning(running: boolean): void {
    this.running = running;
    if (!running) {
      this.timer?.cancel();
      this.timer = undefined;
    }
  }

  /** Handlers run in the worker's process: if it cannot end them in time, it is stopped or stuck and is ended itself. */
  leaseLost(): void {
    if (this.running) {
      this.timer ??= this.params.clock.setTimer(HANDLERS_GRACE_MS, () => this.killWorker());
    }
  }

  /** `dead` resolves when nothing of the session runs any more. Then the schedulers may give its jobs away. */
  async afterPipeClosed(dead: Promise<void>): Promise<void> {
    const { clock, setup } = this.params;
    const { process: worker, session, workerId } = setup.owner;
    const untilMs = clock.monotonicMs() + DYING_MS;
    while (isAlive(worker)) {
      if (clock.monotonicMs() >= untilMs) {
        this.killWorker();
      }
      await sleep(clock, LOOK_EVERY_MS);
    }
    await dead;
    if (setup.lastWill !== undefined && setup.lastWill.addresses.length > 0) {
      const { sendLastWill } = await import('./last-will.js');
      const detail = `the worker's process ${worker.pid} ended`;
      await sendLastWill({ will: setup.lastWill, workerId, session, detail, clock });
    }
  }

  private killWorker(): void {
    const { process: worker } = this.params.setup.owner;
    if (isAlive(worker)) {
      sendSignal(worker.pid, 'SIGKILL');
    }
  }
}
