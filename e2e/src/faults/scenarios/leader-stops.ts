import { letPass, waitUntil } from '../../harness/wait.js';
import { startLoad } from '../load.js';
import { commandsRun, span } from '../measure.js';
import { requireThat, type Scenario } from '../scenario.js';

const leaderStopped: Scenario = {
  id: 'P8',
  title: 'the leader stopped for 30 s, then continued, while a worker dies',
  promise:
    'another one leads within 11 s; the one that wakes steps down within a second and does nothing as leader (STALE_TERM, counted)',
  quick: false,
  async run(context) {
    const { recorder, random } = context;
    const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1', 'worker-2', 'worker-3'] });
    const leader = await cluster.leader();
    const other = cluster.schedulers.find((seat) => seat !== leader) ?? leader;
    const stopLoad = startLoad(context.client(), random, { jobsPerSecond: 10 });
    await letPass(2_000);

    recorder.fault({ what: 'SIGSTOP', target: leader.name });
    leader.signal('SIGSTOP');
    const since = performance.now();
    await waitUntil(`${other.name} leads`, async () => (await other.status()).leader, { withinMs: 20_000 });
    const newLeaderMs = performance.now() - since;
    recorder.fault({ what: 'SIGKILL of its host', target: 'worker-3', mayLose: ['worker-3'] });
    cluster.worker('worker-3').killHost();
    await letPass(30_000 - (performance.now() - since));
    leader.signal('SIGCONT');
    const wokeMs = performance.now();
    await waitUntil(`${leader.name} leads no more`, async () => !(await leader.status()).leader, { withinMs: 5_000 });
    const steppedDownMs = performance.now() - wokeMs;
    await letPass(5_000);
    await stopLoad();
    const { text } = await context.conclude();

    const leading = (await Promise.all(cluster.schedulers.map((seat) => seat.status()))).filter(
      (status) => status.leader,
    );
    requireThat(leading.length === 1, `${leading.length} schedulers say that they lead`);
    requireThat(newLeaderMs <= 12_000, `another one led after ${newLeaderMs} ms: allowed 11 s`);
    const stale = await leader.metric('orchestrator_refused_total', 'STALE_TERM');
    requireThat(
      stale > 0,
      `orchestrator_refused_total{code="STALE_TERM"} of ${leader.name} is ${stale}: expected 1 or more`,
    );
    return `${text}; STALE_TERM ${stale} times; another one led after ${span([newLeaderMs])}; the one that woke stepped down after ${span([steppedDownMs])}`;
  },
};

const ANSWERED_WITHIN_MS = 500;

/** The worst moment: it has judged, its verdict is on its way, and meanwhile the worker is back. */
const verdictFromThePast: Scenario = {
  id: 'P8-verdict',
  title: 'the leader stopped for 30 s at the moment at which it declares a worker dead, which then comes back',
  promise:
    'its verdict arrives under a term that is over, and is refused (STALE_TERM); the worker lives, its jobs run once',
  quick: false,
  async run(context) {
    const { recorder } = context;
    const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1', 'worker-2'], links: true });
    // The first verdict ever would be sent twice: Redis does not know the script yet.
    recorder.fault({ what: 'SIGKILL of its host', target: 'worker-2', mayLose: ['worker-2'] });
    cluster.worker('worker-2').killHost();
    await cluster.workerIs('worker-2', 'dead');
    const leader = await cluster.leader();
    const other = cluster.schedulers.find((seat) => seat !== leader) ?? leader;
    const client = context.client();
    await Promise.all(Array.from({ length: 4 }, () => client.submit({ ms: 16_000 })));
    await commandsRun(recorder, 'worker-1', 4);

    const verdict = leader.redis.trap('silent');
    recorder.fault({ what: 'SIGSTOP', target: 'worker-1' });
    cluster.worker('worker-1').signal('SIGSTOP');
    await verdict;
    recorder.fault({ what: 'SIGSTOP as it declares worker-1 dead', target: leader.name });
    leader.signal('SIGSTOP');
    const since = performance.now();
    cluster.worker('worker-1').signal('SIGCONT');
    await waitUntil(`${other.name} leads`, async () => (await other.status()).leader, { withinMs: 20_000 });
    await letPass(30_000 - (performance.now() - since));
    leader.redis.heal();
    // Redis has answered before the leader reads anything: as when its machine was suspended.
    await letPass(ANSWERED_WITHIN_MS);
    leader.signal('SIGCONT');
    const { text, jobs, starts, losses } = await context.conclude();

    requireThat(starts === jobs && losses === 0, `${text}: each job was to run once`);
    // Asked at Redis: timers of a process that is continued run before it reads, so the answer may come too late for it.
    const stale = Number(
      /errorstat_STALE_TERM:count=(\d+)/.exec(await cluster.redisClient.info('errorstats'))?.[1] ?? 0,
    );
    requireThat(stale > 0, 'Redis refused nothing as STALE_TERM: the verdict did not arrive');
    return `${text}; refused by Redis as STALE_TERM ${stale} times`;
  },
};

export const leaderStops: readonly Scenario[] = [leaderStopped, verdictFromThePast];
