// npm run demo: 100 jobs over three workers, one of which is killed mid-job. Ends by itself; 0 only when every job
// succeeded exactly as promised. It has ports, data and a Redis of its own, all gone afterwards.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { bootstrap } from './lib/bootstrap.mjs';
import { buildPrograms } from './lib/build.mjs';
import { demoJobs, JOBS, verifyDemo } from './lib/demo-jobs.mjs';
import { onStop } from './lib/on-stop.mjs';
import { freePort } from './lib/ports.mjs';
import { createProgressBar } from './lib/progress-bar.mjs';
import { requireRedisProgram } from './lib/redis.mjs';
import { startServer } from './lib/redis-server.mjs';
import { System } from './lib/system.mjs';
import { sleep, waitFor } from './lib/wait.mjs';

const WORKERS = ['worker-1', 'worker-2', 'worker-3'];
const VICTIM = 'worker-2';
const SLOTS = 4;
const KILL_AFTER_JOBS = 30;
const DONE_WITHIN_MS = 120_000;
/** Half of what a job takes. */
const FRESH_MS = 200;

await bootstrap();
console.log('building …');
await buildPrograms();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'orchestrator-demo-'));
const server = process.env.ORCHESTRATOR_REDIS_URL
  ? undefined
  : await startServer({ program: await requireRedisProgram(), directory: path.join(folder, 'redis') });
const logs = [];
const bar = createProgressBar(JOBS);
let killed = false;
let clearing;
const system = new System({
  redisUrl: process.env.ORCHESTRATOR_REDIS_URL ?? `redis://127.0.0.1:${server.port}`,
  httpPort: await freePort(),
  grpcPort: await freePort(),
  environment: {
    ORCHESTRATOR_LOG_FORMAT: 'json',
    ...(process.env.ORCHESTRATOR_REDIS_URL && { ORCHESTRATOR_REDIS_PREFIX: `demo-${process.pid}` }),
  },
  show: (name, line) => logs.push(`[${name}] ${line}`),
  onDeath: (child) => {
    if (!(child.name === VICTIM && killed)) {
      bar.say(`${child.name} ended unexpectedly: ${child.end.text}`);
    }
  },
});
onStop({ first: () => void clearUp().then(() => process.exit(130)), again: () => process.exit(1) });

const started = performance.now();
const wrong = await demonstrate().catch((error) => [error.message]);
await clearUp();
if (wrong.length > 0) {
  console.error(logs.slice(-40).join('\n'));
  console.error(`\nnot as promised:\n  ${wrong.join('\n  ')}`);
}
process.exit(wrong.length > 0 ? 1 : 0);

async function demonstrate() {
  if (!(await system.start(WORKERS, ['--slots', SLOTS]))) {
    throw new Error('scheduler and workers did not get ready');
  }
  console.log(`${JOBS} jobs over ${WORKERS.join(', ')}, ${SLOTS} slots each; ${VICTIM} will be killed`);
  const diary = path.join(folder, 'diary');
  const batch = await submit(demoJobs(diary));
  const kill = await watch(batch.batchId);
  const jobs = await allJobs(batch.jobs);
  const outputs = new Map(await Promise.all(jobs.map(async (job) => [job.id, await output(job.id)])));
  const findings = verifyDemo({ jobs, outputs, diary, victim: VICTIM, heldByVictim: kill.held });
  summarize(jobs, kill);
  return findings;
}

/** Shows the progress, and kills one worker on the way. */
async function watch(batchId) {
  let kill;
  const finished = await waitFor(
    async () => {
      const batch = await system.get(`/api/v1/batches/${batchId}`);
      if (batch === undefined) {
        return false;
      }
      const done = batch.counts.succeeded + batch.counts.failed + batch.counts.cancelled;
      bar.show(done, kill === undefined ? '' : `(${VICTIM} is dead)`);
      if (kill === undefined && done >= KILL_AFTER_JOBS) {
        kill = await killVictim();
      }
      return batch.done;
    },
    { withinMs: DONE_WITHIN_MS, everyMs: 100 },
  );
  if (finished === undefined || kill === undefined) {
    throw new Error(`the batch was not done within ${DONE_WITHIN_MS / 1_000} s`);
  }
  return kill;
}

async function killVictim() {
  const running = await waitFor(
    async () => inTheMiddle((await system.get(`/api/v1/workers/${VICTIM}`))?.running ?? []),
    {
      withinMs: 5_000,
      everyMs: 20,
    },
  );
  killed = true;
  process.kill(system.pidOf(VICTIM), 'SIGKILL');
  const at = performance.now();
  bar.say(`kill -9 ${system.pidOf(VICTIM)}: ${VICTIM} is gone in the middle of ${running?.length ?? 0} jobs`);
  void reportDeath(at);
  return { held: running ?? [], at };
}

/** These, as soon as one of them has just begun: a kill that falls between two jobs shows nothing. */
async function inTheMiddle(ids) {
  const jobs = await Promise.all(ids.map((id) => system.get(`/api/v1/jobs/${id}`)));
  const isFresh = (job) => job?.state === 'running' && Date.now() - Date.parse(job.startedAt) < FRESH_MS;
  return jobs.some(isFresh) && ids;
}

async function reportDeath(since) {
  const isDead = async () => {
    const list = await system.get('/api/v1/workers?limit=1000');
    return list !== undefined && !list.items.some((worker) => worker.id === VICTIM && worker.state !== 'dead');
  };
  if (await waitFor(isDead, { withinMs: 20_000, everyMs: 50 })) {
    bar.say(`declared dead ${((performance.now() - since) / 1_000).toFixed(1)} s later: its jobs go to the others`);
  }
}

async function submit(jobs) {
  const response = await fetch(`${system.address}/api/v1/jobs/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'demo', jobs }),
    signal: AbortSignal.timeout(10_000),
  });
  const body = await response.json();
  if (response.status !== 201) {
    throw new Error(`the batch was not accepted: ${response.status} ${JSON.stringify(body)}`);
  }
  return body;
}

async function allJobs(submitted) {
  const jobs = await Promise.all(submitted.map(({ id }) => system.get(`/api/v1/jobs/${id}`)));
  return jobs.filter((job) => job !== undefined);
}

async function output(id) {
  const response = await fetch(`${system.address}/api/v1/jobs/${id}/logs`, { signal: AbortSignal.timeout(10_000) });
  return response.text();
}

function summarize(jobs, kill) {
  const lost = jobs.filter((job) => job.workerLosses > 0);
  const by = (worker) => jobs.filter((job) => job.worker === worker).length;
  console.log(`
${jobs.filter((job) => job.state === 'succeeded').length} of ${JOBS} jobs succeeded in ${((performance.now() - started) / 1_000).toFixed(1)} s
  by worker:          ${WORKERS.map((id) => `${id} ${by(id)}`).join(', ')}
  lost with ${VICTIM}: ${lost.length} of ${kill.held.length} it was shown to run, each run again elsewhere and accepted once
  attempts used up:   none by the loss (each job had only one)`);
}

function clearUp() {
  clearing ??= (async () => {
    await system.stop();
    await server?.stop();
    await sleep(50);
    fs.rmSync(folder, { recursive: true, force: true });
  })();
  return clearing;
}
