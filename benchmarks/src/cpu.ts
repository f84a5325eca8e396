import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time of these processes since their start, in microseconds: the sum over their threads as the scheduler of the
 * kernel counts it. /proc/PID/stat says the same in steps of 10 ms, which is too coarse for a second of work.
 */
export function cpuUsOf(pids: readonly number[]): number {
  return pids.map(ofProcess).reduce((sum, each) => sum + each, 0);
}

function ofProcess(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1');
    return Number(text.split(' ')[0]);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1_000;
}
