import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { processesOfWorker } from '../../harness/processes.js';
import { waitUntil } from '../../harness/wait.js';
import { attemptRuns } from '../checker/attempt-runs.js';
import { superviseWorkers } from '../cluster/supervisor.js';
import { readCommandLines, recordedBody } from '../command-lines.js';
import { hostile, type HostileBench } from '../hostile-bench.js';
import { commandsRun } from '../measure.js';
import { requireThat, type Scenario } from '../scenario.js';

/** The mark of an attempt is that of its session with the attempt's id: so is its guard's, with a name. */
const KILL_GUARD =
  'kill -9 $(grep -lF "ORCHESTRATOR_MARK=${ORCHESTRATOR_MARK%/*}/@guard" /proc/[0-9]*/environ | cut -d/ -f3)';
const ANOTHER_GUARD_WITHIN_MS = 5_000;

const surroundings = hostile({
  id: 'T3',
  title: "a job that kills its guard, removes its executor's pipes, its own directory, its descriptors",
  promise: 'there is another guard within a second or two, new pipes, and the next job finds everything as ever',
  async attack(bench) {
    const guard = guardOf(bench);
    const since = performance.now();
    await bench.run(KILL_GUARD);
    const isAnother = (): boolean => ![undefined, guard].includes(guardOf(bench));
    await waitUntil('there is another guard', isAnother, { withinMs: ANOTHER_GUARD_WITHIN_MS });
    const guardMs = Math.round(performance.now() - since);

    await bench.run('rm -rf "${TMPDIR:?}"/orchestrator-pipes-*');
    await requireAsEver(bench);
    await bench.run('exec 0<&- 1>&- 2>&-; sleep 1');
    const cwd = join(bench.context.folder, 'removed');
    mkdirSync(cwd);
    await bench.run(`rmdir ${cwd}; sleep 0.3`, { cwd });
    const nowhere = await bench.run('echo never', { cwd }, 'failed');
    requireThat(
      nowhere.failure?.reason === 'spawn_error',
      `without its directory it failed as ${nowhere.failure?.reason}`,
    );
    await requireAsEver(bench);
    return `another guard after ${guardMs} ms`;
  },
});

function guardOf({ worker }: HostileBench): number | undefined {
  return processesOfWorker(worker.program.pid).find(({ environment }) =>
    /ORCHESTRATOR_MARK=[^\0]*\/@guard(\0|$)/.test(environment),
  )?.pid;
}

async function requireAsEver(bench: HostileBench): Promise<void> {
  const { id } = await bench.run('cat /dev/stdin; echo err >/dev/stderr', { stdin: 'in\n' });
  const [out, err] = await Promise.all(['stdout', 'stderr'].map((name) => bench.logs(id, `?stream=${name}`)));
  const text = `${out?.bytes.toString()}${err?.bytes.toString()}`;
  requireThat(text === 'in\nerr\n', `the next job wrote ${JSON.stringify(text)}`);
}

const LOSSES = 2;

const executorKilled = hostile({
  id: 'T3-kill',
  title: 'a job that kills its executor with SIGKILL, whenever it runs (maxWorkerLosses 2)',
  promise: 'it fails as worker_lost after two; the worker lives, has another executor, and runs the others again',
  endsExecutors: true,
  async attack(bench) {
    mayLose(bench, 'SIGKILL of its executor');
    const job = await bench.run('kill -9 $PPID; sleep 60', { maxWorkerLosses: LOSSES }, 'failed');
    requireThat(job.failure?.reason === 'worker_lost', `failed as ${job.failure?.reason}`);
    requireThat(job.workerLosses === LOSSES, `cost ${job.workerLosses} executors: expected ${LOSSES}`);
    await requireAsEver(bench);
    return `worker_lost after ${job.workerLosses} executors`;
  },
});

/** Three seconds of silence, and what it takes to end everything and to start another one. */
const REPLACED_WITHIN_MS = 10_000;

const executorStopped = hostile({
  id: 'T3-stop',
  title: 'a job that stops its executor (SIGSTOP)',
  promise: 'the worker notices within 3 to 4 s, ends all of it, and starts another one; the jobs run again',
  endsExecutors: true,
  async attack(bench) {
    mayLose(bench, 'SIGSTOP of its executor');
    const id = await bench.submit('[ "$ORCHESTRATOR_ATTEMPT" -gt 1 ] || { kill -STOP $PPID; sleep 60; }');
    await bench.finished(id);
    const lines = readCommandLines(readFileSync(bench.context.recorder.commandFile, 'utf8'));
    const [first, second] = attemptRuns(lines).get(id) ?? [];
    const againMs = (second?.firstMs ?? Infinity) - (first?.firstMs ?? 0);
    requireThat(againMs < REPLACED_WITHIN_MS, `it ran again after ${againMs} ms`);
    await requireAsEver(bench);
    return `ran again ${againMs} ms after the stop`;
  },
});

/** ORCHESTRATOR_MARK is worker/session/pid-start/attempt. */
const KILL_WORKER = 'rest=${ORCHESTRATOR_MARK#*/*/}; kill -9 "${rest%%-*}"; sleep 60';
const NEIGHBOURS = 3;
const NEIGHBOUR_MS = 6_000;

/** No bench: who is attacked here does not survive it. */
const workerKilled: Scenario = {
  id: 'T3-worker',
  title:
    'a job that kills its worker with SIGKILL, whenever it runs (maxWorkerLosses 2), and the worker is started again',
  promise: 'it fails as worker_lost after two; its neighbours lose those attempts and succeed',
  quick: false,
  async run(context) {
    const cluster = await context.cluster({ workers: ['worker-1'] });
    const stop = superviseWorkers(cluster);
    const client = context.client();
    await Promise.all(Array.from({ length: NEIGHBOURS }, () => client.submit({ ms: NEIGHBOUR_MS })));
    await commandsRun(context.recorder, 'worker-1', NEIGHBOURS);
    context.recorder.fault({ what: 'SIGKILL by its job', target: 'worker-1', mayLose: ['worker-1'] });
    const fields = { command: recordedBody(KILL_WORKER), maxWorkerLosses: LOSSES };
    const { id = '' } = await client.submit({ ms: 0, expects: 'failed', fields });
    const { text } = await context.conclude();
    const restarts = await stop();
    const job = await cluster.api.job(id);
    requireThat(job.failure?.reason === 'worker_lost', `failed as ${job.failure?.reason}`);
    requireThat(job.workerLosses === LOSSES && restarts === LOSSES, `${job.workerLosses} losses, ${restarts} restarts`);
    return `${text}; worker_lost after ${restarts} workers`;
  },
};

function mayLose({ context, worker }: HostileBench, what: string): void {
  context.recorder.fault({ what, target: worker.name, mayLose: [worker.name] });
}

export const hostileAttacks = [surroundings, executorKilled, executorStopped, workerKilled];
