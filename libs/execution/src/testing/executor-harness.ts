import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';

import { systemClock } from '@orchestrator/core';
import { silentLogger } from '@orchestrator/telemetry';

import type { AttemptToRun, ExecutorEnd, ExecutorOutput } from '../executor.js';
import { ExecutorProcess, type ExecutorProcessParams } from '../executor-process.js';
import { findMarked, type MarkedProcess } from '../sweep.js';
import { uptimeMs } from '../uptime.js';
import type { HelperUse } from '../wire.js';

export interface ExecutorHarness {
  executor: ExecutorProcess;
  session: string;
  /** Runs it and answers its id. */
  run(attempt: Partial<AttemptToRun>): string;
  ended(attemptId: string): Promise<ExecutorEnd>;
  /** Answers its pid. */
  started(attemptId: string): Promise<number>;
  runToEnd(attempt: Partial<AttemptToRun>): Promise<ExecutorEnd>;
  /** Of the next one. */
  leaseLost(): Promise<readonly string[]>;
  /** Of the next one; asked for before it happens. */
  frozen(): Promise<readonly string[]>;
  thawed(): Promise<readonly string[]>;
  freezeLimitReached(): Promise<readonly string[]>;
  executorLost(): Promise<{ attemptIds: readonly string[]; detail: string }>;
  unstarted(): Promise<{ attemptIds: readonly string[]; detail: string }>;
  /** Resolves when the attempt's output so far contains the text. */
  printed(attemptId: string, text: string): Promise<void>;
  /** What was reported ended. */
  ends: ExecutorEnd[];
  chunks: ExecutorOutput[];
  marked(): MarkedProcess[];
}

const harnesses: ExecutorHarness[] = [];
let helpers: HelperUse = 'auto';

/** For all executors of a file of tests. */
export function useHelpers(use: HelperUse): void {
  helpers = use;
}

export async function startExecutor(
  params: Partial<ExecutorProcessParams> & { leaseMs?: number } = {},
): Promise<ExecutorHarness> {
  const session = randomUUID();
  const emitter = new EventEmitter().setMaxListeners(0);
  const ends: ExecutorEnd[] = [];
  const chunks: ExecutorOutput[] = [];
  const pids = new Map<string, number>();
  const executor = new ExecutorProcess({
    workerId: 'worker-1',
    session,
    clock: systemClock,
    logger: silentLogger,
    environment: { ...process.env, SECRET_OF_THE_WORKER: 'x' },
    // Everything has to hold without them.
    cgroup: 'off',
    helpers,
    events: {
      started: (attemptId, pid) => {
        pids.set(attemptId, pid);
        emitter.emit('started', attemptId);
      },
      output: (chunk) => {
        chunks.push(chunk);
        emitter.emit('output', chunk.attemptId);
      },
      ended: (end) => {
        ends.push(end);
        emitter.emit('ended', end.attemptId);
      },
      unstarted: (attemptIds, detail) => void emitter.emit('unstarted', { attemptIds, detail }),
      leaseLost: (attemptIds) => void emitter.emit('leaseLost', attemptIds),
      frozen: (attemptIds) => void emitter.emit('frozen', attemptIds),
      thawed: (attemptIds) => void emitter.emit('thawed', attemptIds),
      freezeLimitReached: (attemptIds) => void emitter.emit('freezeLimitReached', attemptIds),
      executorLost: (attemptIds, detail) => void emitter.emit('executorLost', { attemptIds, detail }),
    },
    ...params,
  });
  await executor.start();
  executor.renewLease(uptimeMs(), params.leaseMs ?? 600_000);

  const until = async <T>(event: string, find: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = find();
      if (found !== undefined) {
        return found;
      }
      await once(emitter, event);
    }
  };
  const next = async <T>(event: string): Promise<T> => ((await once(emitter, event)) as [T])[0];
  const run = (attempt: Partial<AttemptToRun>): string => {
    const attemptId = attempt.attemptId ?? `${randomUUID()}.0`;
    executor.run({ env: {}, timeoutMs: 0, killGraceMs: 5_000, maxOutputBytes: 256 * 1024, ...attempt, attemptId });
    return attemptId;
  };
  const ended = (attemptId: string): Promise<ExecutorEnd> =>
    until('ended', () => ends.find((end) => end.attemptId === attemptId));
  const harness: ExecutorHarness = {
    executor,
    session,
    run,
    ended,
    started: (attemptId) => until('started', () => pids.get(attemptId)),
    runToEnd: (attempt) => ended(run(attempt)),
    leaseLost: () => next('leaseLost'),
    frozen: () => next('frozen'),
    thawed: () => next('thawed'),
    freezeLimitReached: () => next('freezeLimitReached'),
    executorLost: () => next('executorLost'),
    unstarted: () => next('unstarted'),
    printed: async (attemptId, text) => {
      await until('output', () => {
        const mine = chunks.filter((chunk) => chunk.attemptId === attemptId);
        return toText(mine, 'stdout').includes(text) || toText(mine, 'stderr').includes(text) || undefined;
      });
    },
    ends,
    chunks,
    marked: () => findMarked((mark) => mark.includes(`/${session}/`)),
  };
  harnesses.push(harness);
  return harness;
}

/** Ends what the test has started. Nothing with a mark of it may be left then. */
export async function stopExecutors(): Promise<void> {
  for (const harness of harnesses.splice(0)) {
    await harness.executor.stop();
    expect(harness.marked()).toEqual([]);
  }
}

export function toText(output: readonly ExecutorOutput[], stream: 'stdout' | 'stderr'): string {
  const data = output.filter((chunk) => chunk.stream === stream).map((chunk) => chunk.data);
  return Buffer.concat(data).toString();
}

/** Polls the machine: there is no event for what another process does. Fails after the limit. */
export async function eventually<T>(limitMs: number, check: () => T | undefined | false): Promise<T> {
  const untilMs = performance.now() + limitMs;
  for (;;) {
    const found = check();
    if (found !== undefined && found !== false) {
      return found;
    }
    if (performance.now() > untilMs) {
      throw new Error(`did not happen within ${limitMs} ms: ${check.toString()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
