import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { JobView } from '../../harness/api.js';
import { ROOT } from '../../harness/program.js';
import { waitUntil } from '../../harness/wait.js';
import type { Client } from '../client.js';
import type { FaultCluster } from '../cluster/fault-cluster.js';
import { previousBuild } from '../cluster/previous-build.js';
import type { SchedulerSeat } from '../cluster/scheduler-seat.js';
import type { Seat } from '../cluster/seat.js';
import type { WorkerSeat } from '../cluster/worker-seat.js';
import type { Submission } from '../history.js';
import { startLoad } from '../load.js';
import { commandsRun, runningOn, span } from '../measure.js';
import { requireThat, type Scenario, type ScenarioContext } from '../scenario.js';

const JOBS_PER_SECOND = 8;
const SLOTS = 4;
const WITHIN_MS = 20_000;
const HOUR_S = 3_600;

/** What is asked of each mix of versions. The cluster is the one of a real upgrade: one program after the other. */
class Upgrade {
  constructor(
    private readonly context: ScenarioContext,
    private readonly client: Client,
    private readonly cluster: FaultCluster,
    private readonly previous: string,
  ) {}

  /** Ends it in order and starts it from the other build. */
  async replace(seat: SchedulerSeat | WorkerSeat, by: 'previous' | 'present'): Promise<void> {
    await this.end(seat);
    seat.build = by === 'previous' ? this.previous : undefined;
    await this.begin(seat);
  }

  async end(seat: Seat): Promise<void> {
    this.context.recorder.fault({ what: 'SIGTERM', target: seat.name });
    seat.signal('SIGTERM');
    const { code } = await seat.program.ended();
    requireThat(code === 0, `${seat.name} ended with ${code}: expected 0`);
  }

  async begin(seat: SchedulerSeat | WorkerSeat): Promise<void> {
    seat.launch();
    if ('ready' in seat) {
      await seat.ready();
    } else {
      await this.cluster.workerIs(seat.name, 'alive');
    }
  }

  /** With only this scheduler there, all workers are on it, of whichever version they are. */
  async alone(scheduler: SchedulerSeat, check: () => Promise<void>): Promise<void> {
    const others = this.cluster.schedulers.filter((seat) => seat !== scheduler);
    for (const seat of others) {
      await this.end(seat);
    }
    const { id } = await scheduler.status();
    await waitUntil(
      `all workers are on ${scheduler.name}`,
      async () => {
        const workers = (await scheduler.api.workers()).filter(({ state }) => state === 'alive');
        return workers.length === this.cluster.workers.size && workers.every(({ connectedTo }) => connectedTo === id);
      },
      { withinMs: WITHIN_MS },
    );
    await check();
    for (const seat of others) {
      await this.begin(seat);
    }
  }

  /**
   * Each worker runs some jobs; output is read, a job is cancelled. `reader` may be of another version than the submitter.
   * All slots of a worker may be taken by long jobs of the load: then it has none of the first ones.
   */
  async work(reader: SchedulerSeat): Promise<void> {
    const { workers } = this.cluster;
    const long = await this.client.submit({ ms: 60_000, expects: 'any' });
    const ran = new Set<string>();
    const end = performance.now() + WITHIN_MS;
    do {
      (await this.shortJobs(reader)).forEach((worker) => ran.add(worker));
    } while (ran.size < workers.size && performance.now() < end);
    requireThat(ran.size === workers.size, `only ${[...ran].join(', ')} ran jobs for ${span([WITHIN_MS])}`);
    await this.cancel(reader, long);
  }

  /** Twice as many as there are slots. Answers who ran them. */
  async shortJobs(reader: SchedulerSeat): Promise<string[]> {
    const jobs = await this.submit(this.cluster.workers.size * SLOTS * 2, { ms: 300 });
    const ran: string[] = [];
    for (const { id } of jobs) {
      const job = await reader.api.finalJob(String(id), WITHIN_MS);
      requireThat(job.state === 'succeeded', `${job.id} is ${job.state}`);
      const logs = await reader.api.logs(job.id, '?stream=stdout');
      requireThat(logs.includes(job.id), `the output of ${job.id} is ${JSON.stringify(logs)}: expected its id`);
      ran.push(String(job.worker));
    }
    return ran;
  }

  async cancel(reader: SchedulerSeat, { id }: Submission): Promise<void> {
    const isRunning = ({ state }: JobView): boolean => state === 'running';
    await reader.api.jobWhen(String(id), 'running', isRunning, WITHIN_MS);
    const answer = await reader.api.cancel(String(id));
    requireThat(answer.status < 300, `the cancel was answered ${answer.status}: ${answer.text}`);
    const { state } = await reader.api.finalJob(String(id), WITHIN_MS);
    requireThat(state === 'cancelled', `${id} is ${state}: expected cancelled`);
  }

  /** A worker is lost with what it runs, and comes back. */
  async lose(seat: WorkerSeat): Promise<void> {
    const { recorder } = this.context;
    const jobs = await this.submit(this.cluster.workers.size * SLOTS, { ms: 800 });
    await commandsRun(recorder, seat.name, 1);
    recorder.fault({ what: 'SIGKILL', target: seat.name, mayLose: [seat.name] });
    requireThat(runningOn(recorder, seat.name).length > 0, `${seat.name} ran nothing when it was killed`);
    await seat.kill();
    await Promise.all(jobs.map(({ id }) => this.cluster.api.finalJob(String(id), WITHIN_MS)));
    await this.begin(seat);
  }

  async submit(count: number, wish: Parameters<Client['submit']>[0]): Promise<Submission[]> {
    return Promise.all(Array.from({ length: count }, () => this.client.submit(wish)));
  }

  /** Waits in Redis while everything around it is replaced. */
  async later(): Promise<Submission> {
    const [job] = await this.submit(1, { ms: 100, fields: { delay: HOUR_S }, expects: 'any' });
    return job as Submission;
  }

  /** As a later version may write it: with a field that an earlier one does not know. */
  async addField({ id }: Submission, field: string, value: unknown): Promise<void> {
    const ulid = String(id).split(':')[1] ?? '';
    const key = 'orc:p:{default}:specs';
    const { redisClient } = this.cluster;
    const spec = JSON.parse((await redisClient.hget(key, ulid)) ?? '') as Record<string, unknown>;
    await redisClient.hset(key, ulid, JSON.stringify({ ...spec, [field]: value }));
  }

  async versions(reader: SchedulerSeat): Promise<Record<string, string>> {
    const workers = (await reader.api.workers()).filter(({ state }) => state === 'alive');
    return Object.fromEntries(workers.map(({ id, version }): [string, string] => [id, version]).sort());
  }
}

const upgraded: Scenario = {
  id: 'P12',
  title: 'schedulers and workers upgraded one after the other from an earlier commit, then rolled back, under load',
  promise:
    'each mix of versions works: jobs run, are lost and found again, cancelled and read, whoever they were submitted to; no attempt is lost but with a killed worker',
  quick: true,
  needs: ['the git history'],
  async run(context) {
    const build = await previousBuild();
    const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1', 'worker-2'], slots: SLOTS, build });
    const [one, two] = [cluster.scheduler(1), cluster.scheduler(2)];
    const [first, second] = [cluster.worker('worker-1'), cluster.worker('worker-2')];
    const client = context.client();
    const upgrade = new Upgrade(context, client, cluster, build);
    const stopLoad = startLoad(client, context.random, { jobsPerSecond: JOBS_PER_SECOND });
    const since = performance.now();
    const versions = { old: versionIn(build), present: versionIn(ROOT) };

    const ofOld = await upgrade.later();
    await upgrade.replace(one, 'present');
    await upgrade.replace(first, 'present');
    const expected = JSON.stringify({ 'worker-1': versions.present, 'worker-2': versions.old });
    for (const seat of [one, two]) {
      await waitUntil(
        `GET /workers of ${seat.name} says ${expected}`,
        async () => JSON.stringify(await upgrade.versions(seat)) === expected,
        { withinMs: WITHIN_MS },
      );
    }
    await upgrade.work(two);
    await upgrade.lose(second);
    await upgrade.lose(first);
    // The upgraded scheduler alone: a worker of before on it. Then the other way round.
    await upgrade.alone(one, () => upgrade.work(one));
    await upgrade.alone(two, () => upgrade.work(two));
    await upgrade.replace(two, 'present');
    await upgrade.replace(second, 'present');
    const ofNew = await upgrade.later();
    await upgrade.work(two);
    await upgrade.addField(ofNew, 'submittedBy', 'somebody');
    await upgrade.addField(ofNew, 'fieldOfTomorrow', { a: [1] });
    const kept = await one.api.job(String(ofOld.id));

    await upgrade.replace(one, 'previous');
    await upgrade.replace(first, 'previous');
    await upgrade.alone(one, () => upgrade.work(one));
    await upgrade.replace(two, 'previous');
    await upgrade.replace(second, 'previous');
    const read = await one.api.job(String(ofNew.id));
    await stopLoad();
    await Promise.all([ofOld, ofNew].map(({ id }) => one.api.cancel(String(id))));
    const { text } = await context.conclude();

    requireThat(
      kept.state === 'scheduled' && read.state === 'scheduled',
      `what waited is ${kept.state} and ${read.state}: expected both to be scheduled`,
    );
    return `${text}; ${versions.old} and ${versions.present} mixed for ${Math.round((performance.now() - since) / 1_000)} s`;
  },
};

function versionIn(build: string): string {
  const text = readFileSync(join(build, 'apps', 'worker', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export const upgrades: readonly Scenario[] = [upgraded];
