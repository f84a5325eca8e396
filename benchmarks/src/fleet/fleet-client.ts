import { Helper, withHelper } from '../ipc/helper.js';
import type { LedgerPage } from '../ledger.js';
import type { Beats, FleetParams, FleetStarted } from './fleet-asks.js';

/** The process with many workers, as the bench sees it. */
export class Fleet {
  private constructor(private readonly helper: Helper) {}

  static with<T>(work: (fleet: Fleet) => Promise<T>): Promise<T> {
    return withHelper(new Helper('fleet/fleet'), (helper) => work(new Fleet(helper)));
  }

  start(params: FleetParams): Promise<FleetStarted> {
    return this.helper.ask('start', params);
  }

  beats(): Promise<Beats> {
    return this.helper.ask('beats');
  }

  ledger(): Promise<LedgerPage> {
    return this.helper.ask('ledger');
  }

  reset(): Promise<void> {
    return this.helper.ask('reset');
  }

  /** Each says Goodbye. */
  stop(): Promise<void> {
    return this.helper.ask('stop');
  }

  cpuUs(): number {
    return this.helper.cpuUs();
  }
}
