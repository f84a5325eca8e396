import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { AttemptToRun } from '../executor.js';
import type { ExecutorProcessParams } from '../executor-process.js';
import { findMarked, type MarkedProcess, signalMarked } from '../sweep.js';

export interface WorkerProcess {
  child: ChildProcess;
  pid: number;
  executorPid: number;
  session: string;
  marked(): MarkedProcess[];
  /** Of the commands only. */
  commands(): MarkedProcess[];
}

const workers: WorkerProcess[] = [];

/** A worker's process of its own, once all its commands have started. */
export async function startWorkerProcess(
  commands: readonly Partial<AttemptToRun>[],
  params: Partial<ExecutorProcessParams> & { leaseMs?: number; handlers?: boolean } = {},
): Promise<WorkerProcess> {
  const session = randomUUID();
  const attempts = commands.map((command, index) => ({
    attemptId: `${randomUUID()}.${index}`,
    env: {},
    timeoutMs: 0,
    killGraceMs: 5_000,
    maxOutputBytes: 1_024,
    ...command,
  }));
  const setup = { workerId: 'worker-1', session, leaseMs: 600_000, ...params, attempts };
  const child = spawn(process.execPath, [join(__dirname, 'fixture-worker.cjs'), JSON.stringify(setup)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  let executorPid = 0;
  let started = 0;
  let told = false;
  for await (const line of lines) {
    const message = JSON.parse(line) as { executor?: number; started?: string; told?: boolean };
    executorPid = message.executor ?? executorPid;
    started += message.started === undefined ? 0 : 1;
    told ||= message.told === true;
    if (told && started === attempts.length) {
      break;
    }
  }
  const marked = (): MarkedProcess[] => findMarked((mark) => mark.includes(`/${session}/`));
  const worker: WorkerProcess = {
    child,
    pid: child.pid ?? 0,
    executorPid,
    session,
    marked,
    commands: () => marked().filter(({ mark }) => !mark.includes('/@')),
  };
  workers.push(worker);
  return worker;
}

/** Ends those that still live. Nothing with a mark of theirs may be left a moment later. */
export async function stopWorkerProcesses(): Promise<void> {
  for (const { child, marked } of workers.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const untilMs = performance.now() + 5_000;
    while (marked().length > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const left = marked();
    left.forEach((found) => signalMarked(found, 'SIGKILL'));
    expect(left).toEqual([]);
  }
}
