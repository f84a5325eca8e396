import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { hostile, type HostileBench } from '../hostile-bench.js';
import { MEMORY_CGROUPS } from '../needs.js';
import { requireThat } from '../scenario.js';

const MIB = 1_024 * 1_024;

const diskFull = hostile({
  id: 'D5-disk',
  title: 'a command fills the disk of its worker (TMPDIR)',
  promise: 'it fails by itself; others run meanwhile, also those with stdin; all is well when there is space again',
  needs: ['tmpfs mounts'],
  prepare(temporary) {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=600', 'tmpfs', temporary]);
  },
  release(temporary) {
    // What still runs may hold files in it.
    spawnSync('umount', ['-l', temporary], { stdio: 'ignore' });
  },
  async attack(bench) {
    const fill = [
      'head -c 4000000 /dev/zero > "${TMPDIR:?}/big" || {',
      'i=0; while [ $i -lt 1000 ] && true 2>/dev/null > "$TMPDIR/inode-$i"; do i=$((i + 1)); done',
      'note end 28; exit 28; }',
    ].join('\n');
    const filler = await bench.run(fill, {}, 'failed');
    requireThat(filler.exitCode === 28, `ended with ${filler.exitCode}: ${JSON.stringify(filler.failure)}`);
    requireThat((await bench.logs(filler.id)).bytes.includes('No space left'), 'its message was not captured');
    const read = 'cat; echo out; echo err >&2';
    const meanwhile = await Promise.all(
      Array.from({ length: 60 }, () => bench.run(read, { stdin: 'in\n', cwd: bench.temporary })),
    );
    for (const { id } of meanwhile) {
      const text = (await bench.logs(id, '?stream=stdout')).bytes.toString();
      requireThat(text === 'in\nout\n', `a job on a full disk wrote ${JSON.stringify(text)}`);
    }
    await bench.run('rm -f "${TMPDIR:?}"/inode-* "$TMPDIR/big"');
    const after = await bench.run('cat /dev/stdin; : > "$TMPDIR/x"; rm "$TMPDIR/x"', { stdin: 'y'.repeat(500_000) });
    requireThat(after.output.stdoutBytes === 500_000, `${after.output.stdoutBytes} bytes with space again`);
    return `exit code ${filler.exitCode}, ${meanwhile.length} jobs on the full disk`;
  },
});

const memoryFull = hostile({
  id: 'D5-memory',
  title: 'a command that eats more memory than it may (the kernel kills it)',
  promise: 'it ends as killed by SIGKILL, which says that memory may be the reason; worker and neighbour live',
  needs: ['a memory cgroup (v1)'],
  async attack(bench) {
    const cgroup = join(MEMORY_CGROUPS, `orc-greedy-${process.pid}`);
    mkdirSync(cgroup);
    try {
      writeFileSync(join(cgroup, 'memory.limit_in_bytes'), String(64 * MIB));
      const greedy = `echo $$ > ${cgroup}/cgroup.procs; exec tail /dev/zero`;
      const job = await bench.run(greedy, {}, 'failed');
      requireThat(job.signal === 'SIGKILL' && job.failure?.reason === 'signal', `ended as ${job.failure?.reason}`);
      requireThat(job.failure?.message.includes('memory') === true, `says "${job.failure?.message}"`);
      requireThat(job.workerLosses === 0, 'counts as a lost worker');
      return `"${job.failure?.message}"`;
    } finally {
      rmdirSync(cgroup);
    }
  },
});

const DESCRIPTORS = 64;
const MORE_JOBS = 150;

const fewDescriptors = hostile({
  id: 'D5-fds',
  title: `a worker with ${DESCRIPTORS} descriptors and 60 slots, ${MORE_JOBS} jobs at once`,
  promise: 'what cannot be started waits or is given back; no job fails for it, all succeed',
  options: { slots: 60, workerLauncher: ['prlimit', `--nofile=${DESCRIPTORS}`, '--'] },
  async attack(bench) {
    const since = performance.now();
    const ids = await Promise.all(Array.from({ length: MORE_JOBS }, () => bench.submit('sleep 0.7; echo done')));
    const jobs = await Promise.all(ids.map((id) => bench.finished(id)));
    const seconds = (performance.now() - since) / 1_000;
    const losses = jobs.reduce((sum, { workerLosses }) => sum + workerLosses, 0);
    requireThat(losses === 0, `${losses} attempts count as lost`);
    return `${jobs.length} jobs in ${seconds.toFixed(1)} s, ${givenBack(bench)} attempts given back`;
  },
});

/** As the worker's log counts them: they cost nothing, so no history has them. */
function givenBack({ worker }: HostileBench): number {
  const lines = readFileSync(worker.logFile, 'utf8').split('\n');
  return lines
    .filter((line) => line.includes('they are given back'))
    .reduce((sum, line) => sum + (JSON.parse(line) as { attempts: number }).attempts, 0);
}

export const hostileMachine = [diskFull, memoryFull, fewDescriptors];
