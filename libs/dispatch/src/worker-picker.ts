import { type ClaimReply, MAX_BATCH } from '@orchestrator/queue';

import type { Assignee } from './assignee.js';
import type { Taken } from './deliver.js';

/** Free slots that a claim asks for at least: nobody knows of all that other schedulers were sent. */
export const FREE_AT_LEAST = 16;

/** The workers that a claim names. */
export interface Picked {
  taken: readonly Taken[];
  /** Nobody who has credit was left out. */
  isAll: boolean;
}

/**
 * Picks the workers that a claim of one pool names: who has credit, beginning with another one each time, until they have
 * free slots for all that is known to wait. Each costs Redis some ten microseconds whether or not it gets a job, which of a thousand
 * idle ones is far more than a job. Where some are left out nothing is prefetched: they may have slots that stand empty.
 */
export class WorkerPicker {
  private first = 0;
  private mustNameAll = false;

  constructor(private readonly pool: string) {}

  /** The next pick is of all, as far as one claim may name them. */
  nameAll(): void {
    this.mustNameAll = true;
  }

  /** `waiting`: jobs that are known to wait. Reserves what is named. */
  pick(among: ReadonlySet<Assignee>, waiting: number): Picked {
    const assignees = [...among];
    const enough = this.mustNameAll ? Infinity : Math.max(FREE_AT_LEAST, waiting);
    const taken: Taken[] = [];
    let [looked, free] = [0, 0];
    while (looked < assignees.length && taken.length < MAX_BATCH && free < enough) {
      const assignee = assignees[(this.first + looked) % assignees.length] as Assignee;
      const offer = assignee.offer(this.pool);
      if (offer !== undefined) {
        taken.push({ assignee, offer });
        free += offer.free;
      }
      looked += 1;
    }
    const isAll = looked === assignees.length || free < enough;
    this.first += looked === assignees.length ? 1 : looked;
    const named = isAll ? taken : taken.flatMap(intoSlots);
    named.forEach(({ assignee, offer }) => assignee.reserve(this.pool, offer.max));
    return { taken: named, isAll };
  }

  /**
   * The claim was answered: whether another one is worth trying. An empty answer is believed until something changes, if nobody
   * was left out: else the next one names all.
   */
  answered({ isAll }: Picked, { queued, jobs }: Pick<ClaimReply, 'queued' | 'jobs'>): boolean {
    const mayBeMissed = queued > 0 && jobs.length === 0 && !isAll;
    this.mustNameAll = !isAll && (this.mustNameAll || mayBeMissed);
    return mayBeMissed || (queued > 0 && jobs.length > 0);
  }
}

function intoSlots({ assignee, offer }: Taken): Taken[] {
  return offer.free === 0 ? [] : [{ assignee, offer: { ...offer, max: offer.free } }];
}
