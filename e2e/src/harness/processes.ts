import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessInfo {
  pid: number;
  environment: string;
  command: string;
}

/** All processes that we may look at and that are not zombies. */
function processes(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const environment = readFileSync(`/proc/${name}/environ`, 'latin1');
        const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
        return environment === '' ? [] : [{ pid: Number(name), environment, command }];
      } catch {
        return [];
      }
    });
}

/** Every process that has this text in the environment it was started with: descendants inherit it, wherever they went. */
export function processesWith(text: string): ProcessInfo[] {
  return processes().filter((each) => each.environment.includes(text));
}

/** What belongs to a worker besides its own process: executor, guard, commands. Its mark names the worker's pid. */
export function processesOfWorker(workerPid: number): ProcessInfo[] {
  const mark = new RegExp(`(^|\\0)ORCHESTRATOR_MARK=[^/]+/[^/]+/${workerPid}-`);
  return processes().filter((each) => mark.test(each.environment));
}

export function executorOf(workerPid: number): ProcessInfo | undefined {
  return processesOfWorker(workerPid).find((each) =>
    /ORCHESTRATOR_MARK=[^\0]*\/@executor(\0|$)/.test(each.environment),
  );
}

/** Resident memory in MiB. */
export function memoryOf(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(match?.[1] ?? 0) / 1_024;
}

/** How many descriptors it has open. */
export function filesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
