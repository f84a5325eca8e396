import assert from 'node:assert/strict';

import { sleep, waitFor } from '../../tools/lib/wait.mjs';
import { docker } from './engine.mjs';
import { secondsSince } from './project.mjs';

const UP_WITHIN_MS = 60_000;
const REASSIGNED_WITHIN_S = 17;
const GRACE_S = 45;
const JOBS = 30;
/** What is left behind is swept within a second or two. */
const SWEPT_WITHIN_MS = 10_000;

/** Of a command that tries what it should not be able to, and leaves three processes behind. */
const NOSY = `
id -u; grep -E 'CapBnd|NoNewPrivs' /proc/self/status
grep -q ' / [a-z0-9]* ro,' /proc/self/mounts && echo "its root is read-only"
touch here && echo "its directory is writable"
touch /app/here 2>/dev/null && echo "THE PROGRAM IS WRITABLE"
getent hosts redis && echo "REDIS IS IN REACH"
printf '#!/bin/sh\\necho what it wrote runs\\n' >/tmp/tool && chmod +x /tmp/tool && /tmp/tool
setsid sh -c 'setsid sleep 4711 & setsid sleep 4712 &' & (sleep 4713 &)
sleep 0.5`;
const NOSY_SAYS = `1000
CapBnd:\t0000000000000000
NoNewPrivs:\t1
its root is read-only
its directory is writable
what it wrote runs
`;

async function up(project, ...args) {
  const since = performance.now();
  await project.compose('up', '--detach', '--no-build', ...args);
  return secondsSince(since);
}

async function down(project, ...args) {
  const since = Date.now();
  const { seconds } = await project.compose('down', ...args);
  const exits = await project.exitsSince(since);
  assert.ok(seconds < GRACE_S, `down took ${seconds} s, longer than the grace period of ${GRACE_S} s`);
  return { seconds, exits };
}

const toText = (exits) =>
  exits
    .map(({ service, code }) => `${service} ${code}`)
    .sort()
    .join(', ');

/** Resolves when the command of it has begun. */
async function startedJob(project, name, command) {
  const { id } = await project.submit(name, command);
  return project.jobThat(id, (job) => job.state === 'running', 15_000);
}

export const runSteps = [
  {
    name: 'up: one Redis, one scheduler, three workers',
    async run(project) {
      const since = performance.now();
      await up(project);
      const inTime = secondsSince(since);
      await project.workers(3, UP_WITHIN_MS);
      const status = await project.json('/readyz');
      assert.equal(status.status, 'ready');
      return `up after ${inTime.toFixed(1)} s, three workers after ${secondsSince(since).toFixed(1)} s`;
    },
  },
  {
    name: 'jobs run, each once',
    async run(project) {
      const since = performance.now();
      const jobs = await Promise.all(
        Array.from({ length: JOBS }, (_, index) => project.submit(`job-${index}`, `sleep 0.2; echo ${index}`)),
      );
      const done = await Promise.all(jobs.map(({ id }) => project.succeeded(id)));
      for (const [index, job] of done.entries()) {
        assert.equal(await project.logs(job.id), `${index}\n`);
        assert.equal(job.attempt, 1);
      }
      const workers = new Set(done.map((job) => job.worker));
      assert.equal(workers.size, 3, `only ${[...workers].join(' ')} had some`);
      project.finished = done[0].id;
      return `${JOBS} jobs on three workers in ${secondsSince(since).toFixed(1)} s`;
    },
  },
  {
    name: 'commands are confined, and end with all that they started',
    async run(project) {
      const { id } = await project.submit('nosy', NOSY);
      const job = await project.succeeded(id);
      assert.equal(await project.logs(id), NOSY_SAYS);
      const container = await project.containerOf(job.worker);
      const since = performance.now();
      assert.ok(
        await waitFor(async () => (await leftIn(container)) === '', { withinMs: SWEPT_WITHIN_MS }),
        await leftIn(container),
      );
      return `no process left after ${secondsSince(since).toFixed(1)} s`;
    },
  },
  {
    name: 'a worker that is process 1 of its container leaves no zombies, and ends with 0',
    async run(project) {
      const options = ['--detach', '--label', `com.docker.compose.project=${project.name}`];
      const settings = ['ORCHESTRATOR_SCHEDULERS=scheduler:50051', 'ORCHESTRATOR_POOLS=bare'].flatMap((it) => [
        '--env',
        it,
      ]);
      const network = ['--network', `${project.name}_default`];
      const container = await docker('run', ...options, ...settings, ...network, project.images[1]);
      try {
        const { id } = await project.submit('bare', NOSY, { pool: 'bare' });
        await project.succeeded(id);
        assert.ok(
          await waitFor(async () => (await leftIn(container)) === '', { withinMs: SWEPT_WITHIN_MS }),
          await leftIn(container),
        );
        const since = Date.now();
        await docker('stop', '-t', '40', container);
        const [{ code } = {}] = await project.exitsSince(since);
        assert.equal(code, 0);
        await project.workers(3);
        return `exit code ${code} after ${((Date.now() - since) / 1_000).toFixed(1)} s`;
      } finally {
        await docker('rm', '--force', container);
      }
    },
  },
  {
    name: 'healthy is who answers; ready is who reaches Redis',
    async run(project) {
      const [scheduler] = await project.containers('scheduler');
      const ask = async (path) =>
        docker('exec', scheduler, 'node', '/app/healthcheck.mjs', path).then(
          () => 'yes',
          () => 'no',
        );
      assert.deepEqual([await ask('/healthz'), await ask('/readyz')], ['yes', 'yes']);
      await project.compose('stop', 'redis');
      assert.deepEqual([await ask('/healthz'), await ask('/readyz')], ['yes', 'no']);
      await project.compose('start', 'redis');
      assert.ok(await waitFor(async () => (await ask('/readyz')) === 'yes', { withinMs: UP_WITHIN_MS }));
      return 'Redis was stopped and started';
    },
  },
  {
    name: 'up --scale worker=5, and back to 3',
    async run(project) {
      const since = performance.now();
      await up(project, '--scale', 'worker=5');
      await project.workers(5, UP_WITHIN_MS);
      const grown = secondsSince(since);
      const before = Date.now();
      const shrunk = await up(project, '--scale', 'worker=3');
      await project.workers(3);
      const exits = await project.exitsSince(before);
      assert.equal(toText(exits), 'worker 0, worker 0');
      return `five after ${grown.toFixed(1)} s, three after ${shrunk.toFixed(1)} s, exit codes 0`;
    },
  },
  {
    name: `docker kill of the worker that runs a job: finished elsewhere within ${REASSIGNED_WITHIN_S} s`,
    async run(project) {
      const held = await startedJob(project, 'held', '[ "$ORCHESTRATOR_ATTEMPT" -gt 1 ] || exec sleep 600');
      const container = await project.containerOf(held.worker);
      const since = performance.now();
      await docker('kill', container);
      const job = await project.succeeded(held.id, 60_000);
      const seconds = secondsSince(since);
      assert.notEqual(job.worker, held.worker);
      assert.deepEqual([job.attempt, job.workerLosses], [2, 1]);
      assert.ok(seconds <= REASSIGNED_WITHIN_S, `it took ${seconds} s`);
      await up(project);
      await project.workers(3);
      return `${seconds.toFixed(1)} s`;
    },
  },
  {
    name: 'restart of the scheduler: what runs goes on',
    async run(project) {
      const running = await startedJob(project, 'long', 'sleep 8; echo done');
      const { seconds } = await project.compose('restart', 'scheduler');
      const job = await project.succeeded(running.id, 60_000);
      assert.deepEqual([job.attempt, job.workerLosses, await project.logs(job.id)], [1, 0, 'done\n']);
      return `restarted in ${seconds.toFixed(1)} s, the job is of one attempt`;
    },
  },
  {
    name: 'down: what runs is finished, and all end with 0 within the grace period',
    async run(project) {
      const running = await startedJob(project, 'last', 'sleep 6; echo finished');
      project.drained = running.id;
      const { seconds, exits } = await down(project);
      assert.equal(toText(exits), 'redis 0, scheduler 0, worker 0, worker 0, worker 0');
      return `${seconds.toFixed(1)} s with a job of 6 s; exit codes: ${toText(exits)}`;
    },
  },
  {
    name: 'up again: the volume has kept the jobs',
    async run(project) {
      const seconds = await up(project);
      await project.workers(3, UP_WITHIN_MS);
      const [finished, drained] = [await project.job(project.finished), await project.job(project.drained)];
      assert.deepEqual([finished.state, finished.attempt, await project.logs(finished.id)], ['succeeded', 1, '0\n']);
      assert.deepEqual(
        [drained.state, drained.attempt, await project.logs(drained.id)],
        ['succeeded', 1, 'finished\n'],
      );
      return `up after ${seconds.toFixed(1)} s`;
    },
  },
  {
    name: 'down --volumes: nothing is left',
    async run(project) {
      const { seconds, exits } = await down(project, '--volumes');
      assert.equal(toText(exits), 'redis 0, scheduler 0, worker 0, worker 0, worker 0');
      assert.deepEqual(await project.remains(), []);
      return `${seconds.toFixed(1)} s`;
    },
  },
];

/** Processes of our commands, zombies too, by their names: `stat` says those of zombies as well. */
async function leftIn(container) {
  const script = 'grep -hE "^[0-9]+ \\(sleep\\)" /proc/[0-9]*/stat | cut -d " " -f 1-3; true';
  await sleep(100);
  return docker('exec', container, 'sh', '-c', script);
}
