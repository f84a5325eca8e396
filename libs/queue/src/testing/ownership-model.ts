import { StaleEpochError } from '../errors.js';
import type { RedisQueueStore } from '../redis/redis-queue-store.js';
import type { AttemptKey, ClaimedJob, HeldAttempt, ReconcileReply, ReconcileRequest } from '../store.js';
import { failure, returned, success } from './an-end.js';
import { savePool } from './lose-tail.js';
import type { seededRandom } from './seeded-random.js';
import { aWant, type QueueSetup } from './setup.js';

type Seeded = ReturnType<typeof seededRandom>;

/** Of all actors together: between two losses, and lost by one. */
const MOST_STEPS = 60;

/** What goes on in the world, whatever Redis believes: who lives, who runs which job, what was accepted. */
export class World {
  /** ULID -> the session that runs it: from the arrival of its assignment to its end, or to a word that it is gone. */
  readonly running = new Map<string, string>();
  /** The registry of sessions; nothing of it is lost. */
  readonly alive = new Set<string>();
  readonly succeeded = new Set<string>();
  /** Attempts whose end has been answered: somebody may bring in a report of them once more at any time. */
  readonly over: ClaimedJob[] = [];
  /** Who has looked for a recovery since the last tail was lost. */
  readonly looked = new Set<string>();
  readonly counted = { steps: 0, tails: 0, adopted: 0, gone: 0, stale: 0, overtaken: 0 };
  /** What a user is having tried again who saw that nobody runs it: what he saw may be lost before he is answered. */
  readonly retrying = new Set<string>();
  /** Grows as a tail is about to be lost, and when it is; odd in between. */
  moment = 0;
  #epoch = 0;
  #sessions = 0;

  newSession(): string {
    const session = `session-${++this.#sessions}`;
    this.alive.add(session);
    return session;
  }

  /** Growing numbers grow also after a lost tail. Nobody gets one of a Redis that is being replaced. */
  async newEpoch(): Promise<number> {
    while (this.moment % 2 === 1) {
      await new Promise(setImmediate);
    }
    this.#epoch = Math.max(this.#epoch + 1, Date.now());
    return this.#epoch;
  }

  /** Of a failover: it takes longer than epochs given in a burst are ahead of the clock, so later ones are higher. */
  async untilEpochsArePast(): Promise<void> {
    while (Date.now() <= this.#epoch) {
      await new Promise(setImmediate);
    }
  }

  start(job: ClaimedJob, session: string): void {
    const other = this.running.get(job.ulid);
    if (other !== undefined && !this.retrying.has(job.ulid)) {
      throw new Error(`${session} starts ${job.ulid}, which ${other} runs`);
    }
    this.running.set(job.ulid, session);
  }

  /** `moment`: as it was when the report was sent. One answered across a loss may have been before it. */
  accept(ulid: string, moment: number): void {
    if (moment === this.moment && moment % 2 === 0) {
      expect({ ulid, before: this.succeeded.has(ulid) }).toEqual({ ulid, before: false });
      this.succeeded.add(ulid);
    }
  }
}

/** Fate: loses what was written since some moment before, `tails` times, or until the signal. */
export async function loseTails(
  q: QueueSetup,
  world: World,
  random: Seeded,
  options: { tails: number; signal: AbortSignal; afterwards: () => Promise<unknown> },
): Promise<void> {
  const pass = async (steps: number): Promise<void> => {
    for (const end = world.counted.steps + steps; world.counted.steps < end && !options.signal.aborted;) {
      await new Promise(setImmediate);
    }
  };
  while (world.counted.tails < options.tails && !options.signal.aborted) {
    await pass(random.below(MOST_STEPS));
    const bringBack = await savePool(q.redis, q.base);
    await pass(random.below(MOST_STEPS));
    world.counted.tails += 1;
    world.moment += 1;
    await world.untilEpochsArePast();
    const succeeded = await bringBack(random.hex(20));
    world.moment += 1;
    world.looked.clear();
    world.succeeded.clear();
    succeeded.forEach((ulid) => world.succeeded.add(ulid));
    await options.afterwards();
  }
}

/**
 * A worker with its scheduler: it claims, loses answers, reconnects, reports, and dies now and then. It stops running a
 * job before it says so, as the protocol demands; so nobody may ever start what somebody runs.
 */
export class Actor {
  #session = '';
  #epoch = 0;
  /** What schedulers that were stopped may still want to say. */
  #hellos: ReconcileRequest[] = [];
  readonly #held = new Map<string, ClaimedJob>();
  readonly #pool: string;

  constructor(
    readonly name: string,
    readonly q: QueueSetup,
    readonly store: RedisQueueStore,
    readonly world: World,
    readonly random: Seeded,
  ) {
    this.#pool = q.pool;
  }

  get #mayHaveLost(): boolean {
    return this.world.counted.tails > 0;
  }

  async act(): Promise<void> {
    this.world.counted.steps += 1;
    if (this.#session === '') {
      this.#session = this.world.newSession();
      await this.#hello();
    }
    const dice = this.random.next();
    if (dice < 0.4) {
      await this.#claim();
    } else if (dice < 0.75) {
      await this.#report();
    } else if (dice < 0.85) {
      await this.#hello();
    } else if (dice < 0.9) {
      await this.#die();
    } else if (dice < 0.95) {
      await this.#lookForRecovery();
    } else {
      await this.#bother();
    }
  }

  async #claim(): Promise<void> {
    const max = 1 + this.random.below(6);
    const wants = [aWant(this.#session, { max, epoch: this.#epoch })];
    const { jobs, refused, recovery } = await this.store.claim(this.#pool, wants);
    expect(this.#mayHaveLost || (recovery === undefined && refused.length === 0)).toBe(true);
    if (recovery) {
      await this.#lookForRecovery();
    } else if (refused.length > 0 || this.random.next() < 0.2) {
      await this.#hello(); // its gate was lost, or the answer was: what was claimed never arrived
    } else {
      for (const job of jobs) {
        this.world.start(job, this.#session);
        this.#held.set(job.ulid, job);
      }
    }
  }

  async #hello(): Promise<void> {
    this.#epoch = await this.world.newEpoch();
    const held = [...this.#held.values()];
    const says: ReconcileRequest = {
      session: this.#session,
      worker: `worker-of-${this.#session}`,
      epoch: this.#epoch,
      held: held.map((job): HeldAttempt => ({ ...job, state: this.random.next() < 0.3 ? 'frozen' : 'running' })),
      last: true,
    };
    this.#hellos.push(says);
    let reply: ReconcileReply;
    do {
      const { moment } = this.world;
      reply = await this.store.reconcile(this.#pool, says);
      this.world.counted.adopted += reply.adopted;
      for (const [i, verdict] of reply.verdicts.entries()) {
        // A living session loses nothing that it runs, but for what Redis believes ended.
        if (verdict === 'gone') {
          await this.#hearThatItIsGone(held[i] as ClaimedJob, moment);
        }
      }
    } while (reply.more);
    if (this.#hellos.length > 1) {
      await this.#wakeUp(this.#hellos.at(-2) as ReconcileRequest);
    }
  }

  async wakeStoppedScheduler(): Promise<void> {
    const late = this.#hellos[this.random.below(this.#hellos.length)];
    if (late !== undefined && late.epoch < this.#epoch) {
      await this.#wakeUp(late);
    }
  }

  /** A scheduler that was stopped goes on with what it knew, and nobody hears what it is answered. */
  async #wakeUp(late: ReconcileRequest): Promise<void> {
    const outcome = this.store.reconcile(this.#pool, late);
    if (this.#mayHaveLost) {
      await outcome.then(
        () => (this.world.counted.overtaken += 1),
        (error: unknown) => expect(error).toBeInstanceOf(StaleEpochError),
      );
    } else {
      await expect(outcome).rejects.toThrow(StaleEpochError);
    }
    const wants = [aWant(late.session, { max: 9, epoch: late.epoch })];
    const { jobs } = await this.store.claim(this.#pool, wants);
    expect(jobs).toEqual([]);
  }

  /** `moment`: as it was when Redis was asked. What is seen across a loss may be what was there before. */
  async #hearThatItIsGone(job: ClaimedJob, moment: number): Promise<void> {
    expect(this.#mayHaveLost).toBe(true);
    const state = await this.q.state(job.ulid);
    if (moment === this.world.moment && !this.world.retrying.has(job.ulid)) {
      expect(state).toMatch(/succeeded|failed|cancelled/);
    }
    this.world.counted.gone += 1;
    this.#stop(job);
  }

  /** The safety poll of its scheduler. */
  async #lookForRecovery(): Promise<void> {
    const found = await this.store.recovery(this.#pool);
    const state = found?.begun === false ? await this.store.beginRecovery(this.#pool, [...this.world.alive]) : found;
    if (state?.begun !== true) {
      return;
    }
    if (state.awaited.includes(this.#session)) {
      await this.#hello();
    }
    this.world.looked.add(this.name);
  }

  async #report(): Promise<void> {
    const mine = [...this.#held.values()][this.random.below(Math.max(1, this.#held.size))];
    if (mine === undefined) {
      return;
    }
    this.#stop(mine);
    const dice = this.random.next();
    const { moment } = this.world;
    const holder = { session: this.#session, worker: `worker-of-${this.#session}`, number: mine.number };
    if (dice < 0.7) {
      const ends = [success(mine, { holder }), success(mine, { holder })];
      const [verdict, again] = await this.store.settle(this.#pool, ends);
      expect([verdict, again]).toEqual(this.#answered(verdict) ? ['accepted', 'repeated'] : ['stale', 'stale']);
      if (verdict === 'accepted') {
        this.world.accept(mine.ulid, moment);
      }
    } else if (dice < 0.85) {
      this.#answered((await this.store.settle(this.#pool, [failure(mine, { holder })]))[0]);
    } else {
      const reason = this.random.next() < 0.5 ? 'drained' : 'lease_lost';
      this.#answered((await this.store.giveBack(this.#pool, [returned(mine, { reason, started: true })]))[0]);
    }
    this.world.over.push(mine);
  }

  /** Whether a report was accepted; that it is not happens after a loss only. */
  #answered(verdict: string | undefined): boolean {
    if (verdict === 'accepted') {
      return true;
    }
    expect([verdict, this.#mayHaveLost]).toEqual(['stale', true]);
    this.world.counted.stale += 1;
    return false;
  }

  /** Everything of it is dead before anybody says so; who carries that out, and how often, does not matter. */
  async #die(): Promise<void> {
    const session = this.#session;
    const held = [...this.#held.values()];
    held.forEach((job) => this.#stop(job));
    this.#session = '';
    this.#hellos = [];
    this.world.alive.delete(session);
    await this.#carryOut(session);
    const { jobs, refused } = await this.store.claim(this.#pool, [aWant(session, { max: 9, epoch: this.#epoch })]);
    expect(jobs).toEqual([]);
    expect(this.#mayHaveLost || refused.includes(session)).toBe(true);
    await this.#carryOut(session);
    this.world.over.push(...held);
  }

  async #carryOut(session: string): Promise<void> {
    while ((await this.store.reclaim(this.#pool, { session, losses: 2, reason: 'test' })).remaining > 0) {
      // in chunks
    }
  }

  /** A zombie's report, a stopped scheduler that goes on, a user who cancels and retries, a leader who promotes and sweeps. */
  async #bother(): Promise<void> {
    const old = this.world.over[this.random.below(Math.max(1, this.world.over.length))];
    if (old !== undefined) {
      const { moment } = this.world;
      if ((await this.store.settle(this.#pool, [success(old)]))[0] === 'accepted') {
        expect(this.#mayHaveLost).toBe(true); // its end had been accepted, and that was lost
        this.world.accept(old.ulid, moment);
      }
      await this.store.cancel(this.#pool, [old.ulid]);
    }
    await this.wakeStoppedScheduler();
    await this.store.promote(this.#pool);
    for (const session of (await this.store.gates(this.#pool)).keys()) {
      if (!this.world.alive.has(session)) {
        await this.#carryOut(session);
      }
    }
    for (const state of ['cancelled', 'failed']) {
      const ulids = await this.q.redis.zrange(`${this.q.base}${state}`, '0', '99');
      // What somebody still runs although Redis believes it ended is started anew when that one has heard of it.
      const idle = ulids.filter((ulid) => !this.world.running.has(ulid));
      if (idle.length > 0) {
        const { moment } = this.world;
        idle.forEach((ulid) => this.world.retrying.add(ulid));
        await this.store.retry(this.#pool, idle);
        if (moment === this.world.moment) {
          idle.forEach((ulid) => this.world.retrying.delete(ulid));
        }
      }
    }
  }

  #stop(job: AttemptKey): void {
    this.#held.delete(job.ulid);
    this.world.running.delete(job.ulid);
  }
}
