import fs from 'node:fs';

export const JOBS = 100;
const SECONDS = 0.4;

/** Each job writes down when it starts and when it is over: the only witness that needs nobody's word. */
export function demoJobs(diary) {
  return Array.from({ length: JOBS }, (_, index) => ({
    name: `demo-${index + 1}`,
    command: [
      `echo "start $ORCHESTRATOR_JOB_ID $ORCHESTRATOR_ATTEMPT $ORCHESTRATOR_WORKER_ID" >> "$DIARY"`,
      `sleep ${SECONDS}`,
      `echo "end $ORCHESTRATOR_JOB_ID $ORCHESTRATOR_ATTEMPT $ORCHESTRATOR_WORKER_ID" >> "$DIARY"`,
      `echo "job ${index + 1} of ${JOBS}"`,
    ].join('\n'),
    env: { DIARY: diary },
    timeout: 30,
  }));
}

/**
 * Compares what the API says with the diary and with what is promised: every job succeeded, its accepted attempt ran to
 * its end, no second attempt ran beside a first one, and attempts were not used up by the loss of a worker.
 * @returns {string[]} what is not as promised
 */
export function verifyDemo({ jobs, outputs, diary, victim, heldByVictim }) {
  const starts = readDiary(diary, 'start');
  const ends = readDiary(diary, 'end');
  const wrong = [];
  if (jobs.length !== JOBS) {
    wrong.push(`${jobs.length} jobs are known, not ${JOBS}`);
  }
  for (const job of jobs) {
    const say = (text) => wrong.push(`${job.name} (${job.id}): ${text}`);
    const index = Number(job.name.split('-')[1]);
    if (job.state !== 'succeeded' || job.exitCode !== 0 || job.failure !== null) {
      say(`state ${job.state}, exit code ${job.exitCode}, failure ${JSON.stringify(job.failure)}`);
    }
    if (outputs.get(job.id) !== `job ${index} of ${JOBS}\n`) {
      say(`its output is ${JSON.stringify(outputs.get(job.id))}`);
    }
    const lost = job.history.filter((attempt) => attempt.outcome === 'lost');
    // A command may have come to its end and its worker be killed before it could say so: at least once, accepted once.
    const unheard = new Set(lost.map(({ number }) => number));
    const ended = (ends.get(job.id) ?? []).filter(({ attempt }) => !unheard.has(attempt));
    if (ended.length !== 1 || ended[0].attempt !== job.attempt) {
      say(`its end was accepted of attempt ${job.attempt}, and came in ${JSON.stringify(ends.get(job.id) ?? [])}`);
    }
    if (lost.length !== job.workerLosses || lost.some((attempt) => attempt.worker !== victim)) {
      say(`${job.workerLosses} losses, but its history says ${JSON.stringify(job.history)}`);
    }
    if ((starts.get(job.id) ?? []).length > 1 + job.history.length) {
      say(`was started ${starts.get(job.id).length} times, its history knows ${job.history.length}`);
    }
  }
  const lostJobs = new Set(jobs.filter((job) => job.workerLosses > 0).map((job) => job.id));
  for (const id of heldByVictim.filter((held) => !lostJobs.has(held) && (starts.get(held) ?? []).length > 1)) {
    wrong.push(`${id} ran on the killed worker and again, but counts no loss`);
  }
  if (lostJobs.size === 0) {
    wrong.push(`no job was lost with ${victim}: the kill came between two jobs`);
  }
  return wrong;
}

function readDiary(file, word) {
  const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : [];
  const byJob = new Map();
  for (const line of lines.filter((text) => text.startsWith(`${word} `))) {
    const [, job, attempt, worker] = line.split(' ');
    byJob.set(job, [...(byJob.get(job) ?? []), { attempt: Number(attempt), worker }]);
  }
  return byJob;
}
