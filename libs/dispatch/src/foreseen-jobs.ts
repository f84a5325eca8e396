/** Beyond so many news are relied on as ever. */
const MAX_FORESEEN = 1_000;

/**
 * Jobs that this scheduler is just submitting, and claims behind their backs: the claim is sent right after them, without
 * waiting to hear that they are there. When the news of them come, most have been claimed, and nothing is left to be asked
 * for. Where the store took the claim first they have not: then the news count.
 */
export class ForeseenJobs {
  /** `sent`; `announced`: the news came first; `claimed`: the claim's answer did. */
  private readonly jobs = new Map<string, 'sent' | 'announced' | 'claimed'>();

  get size(): number {
    return this.jobs.size;
  }

  add(jobs: readonly { ulid: string }[]): void {
    if (this.jobs.size + jobs.length > MAX_FORESEEN) {
      this.jobs.clear();
    }
    jobs.forEach(({ ulid }) => this.jobs.set(ulid, 'sent'));
  }

  /** The news say that it waits. True: it may still do so, and no claim under way has asked for it. */
  announced(ulid: string, isClaiming: boolean): boolean {
    const known = this.jobs.get(ulid);
    if (known === 'sent' && isClaiming) {
      this.jobs.set(ulid, 'announced');
      return false;
    }
    this.jobs.delete(ulid);
    return known !== 'claimed';
  }

  /** The answer of a claim has brought these. */
  claimed(jobs: readonly { ulid: string }[]): void {
    if (this.jobs.size === 0) {
      return;
    }
    for (const { ulid } of jobs) {
      if (this.jobs.get(ulid) === 'announced') {
        this.jobs.delete(ulid);
      } else if (this.jobs.has(ulid)) {
        this.jobs.set(ulid, 'claimed');
      }
    }
  }

  /** No claim is under way any more. True: some that were announced meanwhile have not been claimed. */
  missed(): boolean {
    let any = false;
    for (const [ulid, known] of this.jobs) {
      if (known === 'announced') {
        this.jobs.delete(ulid);
        any = true;
      }
    }
    return any;
  }
}
