import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { waitUntil } from '../../harness/wait.js';
import { hostile, type HostileBench } from '../hostile-bench.js';
import { requireThat, type Scenario } from '../scenario.js';

const STDIN_BYTES = 1_000_000;
const CHILDREN = 200;
/** A second in which the output may still come, and the machine's other work. */
const ENDS_AFTER_ITS_END_WITHIN_MS = 4_000;
/** Looked for a second after the end, then killed. */
const SWEPT_WITHIN_MS = 6_000;

const stdin = hostile({
  id: 'D3-stdin',
  title: '1 MB of stdin that is read, half read, never read, and closed at once',
  promise: 'each of them succeeds; who does not read disturbs nobody',
  async attack(bench) {
    const fields = { stdin: 'i'.repeat(STDIN_BYTES) };
    const [read, half, ...others] = await Promise.all([
      bench.run('wc -c', fields),
      bench.run('head -c 500000 | wc -c', fields),
      bench.run('sleep 0.5', fields),
      bench.run('exec 0<&-; sleep 0.5', fields),
    ]);
    for (const [job, expected] of [
      [read, `${STDIN_BYTES}\n`],
      [half, '500000\n'],
    ] as const) {
      const text = (await bench.logs(job.id)).bytes.toString();
      requireThat(text === expected, `read ${JSON.stringify(text)}: expected ${JSON.stringify(expected)}`);
    }
    return `${2 + others.length} jobs succeeded`;
  },
});

const children = hostile({
  id: 'D3-children',
  title: `${CHILDREN} children in the background hold stdout after the shell's end`,
  promise: 'the job ends with its shell, has what they wrote, and they are killed',
  async attack(bench) {
    const here = join(bench.context.folder, 'children');
    mkdirSync(here);
    const child = `(echo child $i; : > ${here}/$i; exec sleep 300) &`;
    const id = await bench.submit(
      [
        `i=0; while [ $i -lt ${CHILDREN} ]; do ${child} i=$((i + 1)); done`,
        `while [ "$(ls ${here} | wc -l)" -lt ${CHILDREN} ]; do sleep 0.1; done`,
      ].join('\n'),
    );
    const job = await bench.finished(id);
    const lateMs = bench.sinceEndMs(id);
    const goneMs = await bench.allGone(SWEPT_WITHIN_MS);
    const lines = (await bench.logs(id)).bytes.toString().trim().split('\n');
    requireThat(job.state === 'succeeded', `is ${job.state}`);
    requireThat(new Set(lines).size === CHILDREN && lines.length === CHILDREN, `${lines.length} lines were captured`);
    requireThat(lateMs <= ENDS_AFTER_ITS_END_WITHIN_MS, `ended ${lateMs} ms after its shell`);
    return `ended ${lateMs} ms after its shell, children gone ${goneMs} ms later`;
  },
});

function daemons(cgroup: 'auto' | 'off'): Scenario {
  const isOff = cgroup === 'off';
  return hostile({
    id: isOff ? 'D3-nocgroup' : 'D3-daemons',
    title: `nohup, setsid, double forks, and a daemon with an empty environment (executor.cgroup ${cgroup})`,
    promise: isOff
      ? 'all of them are gone soon after the job but the last, which nothing tells from others'
      : 'all of them are gone soon after the job; the last one only where cgroups are allowed',
    options: { workerArgs: [`--executor-cgroup=${cgroup}`] },
    async attack(bench) {
      const file = join(bench.context.folder, 'daemon');
      // What nobody finds ends by itself, some time.
      const body = [
        'nohup sleep 301 >/dev/null 2>&1 &',
        'setsid sleep 302 &',
        '(setsid sh -c "sleep 303 & sleep 304 & exec sleep 305" &)',
        'setsid setsid sh -c "(setsid sleep 306 &) & exec sleep 307" >/dev/null 2>&1 </dev/null &',
        `env -i setsid sh -c 'echo $$ > ${file}; exec sleep 60' &`,
        `while [ ! -s ${file} ]; do sleep 0.1; done; sleep 0.5`,
      ].join('\n');
      const job = await bench.run(body);
      const goneMs = await bench.allGone(SWEPT_WITHIN_MS);
      requireThat(job.state === 'succeeded', `is ${job.state}`);
      const pid = Number(readFileSync(file, 'utf8'));
      const isAllowed = !readFileSync(bench.worker.logFile, 'utf8').includes('Commands are not in cgroups');
      return `gone ${goneMs} ms after the job, ${await withoutMark(pid, !isOff && isAllowed)}`;
    },
  });
}

/** The daemon whose environment is empty: by its cgroup, or not at all. */
async function withoutMark(pid: number, hasCgroups: boolean): Promise<string> {
  const isGone = (): boolean => !existsSync(`/proc/${pid}`);
  if (hasCgroups) {
    await waitUntil('the daemon without a mark is gone', isGone, { withinMs: SWEPT_WITHIN_MS });
    return 'the one without a mark, too, by its cgroup';
  }
  requireThat(!isGone(), 'the daemon without a mark is gone although nothing tells whose it is');
  process.kill(pid, 'SIGKILL');
  return 'but the one without a mark: it had no cgroup';
}

const SLEEPERS = 600;
const CHAINS = 4;
const LINKS = 175;

/** About 2,000 forks, counted: children that sleep, some as daemons, and chains in which each starts the next and ends. */
const STORM = [
  `trap '' TERM`,
  `chain() { [ "$1" -le 0 ] || { sleep 0.05; chain $(($1 - 1)) & }; }`,
  `c=0; while [ $c -lt ${CHAINS} ]; do chain ${LINKS} & c=$((c + 1)); done`,
  `i=0; while [ $i -lt ${SLEEPERS} ]; do`,
  'case $i in *0) setsid sleep 100 & ;; *) sleep 100 & ;; esac',
  'i=$((i + 1)); done',
  'sleep 100',
].join('\n');

const STORM_GONE_WITHIN_MS = 10_000;

async function storm(bench: HostileBench, end: 'timeout' | 'cancel'): Promise<string> {
  const timeout = end === 'timeout' ? { timeout: 6 } : {};
  const id = await bench.submit(STORM, { killGrace: 1, ...timeout }, 'any');
  const many = await waitUntil('it rages', () => bench.foreign().length >= SLEEPERS / 2 && bench.foreign().length, {
    withinMs: 20_000,
    everyMs: 200,
  }).catch(() => bench.foreign().length);
  if (end === 'cancel') {
    await bench.cluster.api.cancel(id);
  }
  const job = await bench.finished(id);
  const goneMs = await bench.allGone(STORM_GONE_WITHIN_MS);
  const reason = job.failure?.reason ?? job.state;
  requireThat(reason === (end === 'timeout' ? 'timeout' : 'cancelled'), `ended as ${reason}`);
  return `${end}: ${many} processes were seen, none ${goneMs} ms after the job's end`;
}

const forkStorm = hostile({
  id: 'D4',
  title: `a storm of ${SLEEPERS + 2 * CHAINS * LINKS} forks that ignores SIGTERM, ended by its timeout, then by cancel`,
  promise: 'everything is gone within seconds, and the neighbour has not noticed',
  async attack(bench) {
    return [await storm(bench, 'timeout'), await storm(bench, 'cancel')].join('; ');
  },
});

export const hostileProcesses = [stdin, children, daemons('auto'), daemons('off'), forkStorm];
