import { Helper } from '../ipc/helper.js';
import type {
  BulkLoad,
  BulkLoaded,
  PacedLoad,
  PacedLoaded,
  SingleLoad,
  SingleLoaded,
  SteadyLoad,
  SteadyLoaded,
} from './loads.js';

/** The process that makes the load, as the bench sees it. */
export class Generator {
  readonly #helper = new Helper('load/generator');

  bulk(load: BulkLoad): Promise<BulkLoaded> {
    return this.#helper.ask('bulk', load);
  }

  single(load: SingleLoad): Promise<SingleLoaded> {
    return this.#helper.ask('single', load);
  }

  paced(load: PacedLoad): Promise<PacedLoaded> {
    return this.#helper.ask('paced', load);
  }

  steady(load: SteadyLoad): Promise<SteadyLoaded> {
    return this.#helper.ask('steady', load);
  }

  close(): Promise<void> {
    return this.#helper.close();
  }
}
