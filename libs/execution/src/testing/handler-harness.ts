import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';

import { systemClock } from '@orchestrator/core';
import { silentLogger } from '@orchestrator/telemetry';

import type { ExecutorEnd, ExecutorOutput } from '../executor.js';
import { HandlerRunner, type HandlerRunnerParams } from '../handlers/handler-runner.js';
import type { HandlerToRun } from '../handlers/handler-wire.js';

export interface HandlerHarness {
  runner: HandlerRunner;
  /** Whether handlers run, as reported, in order. */
  busy: boolean[];
  ends: ExecutorEnd[];
  chunks: ExecutorOutput[];
  run(handler: string, data?: unknown, more?: Partial<HandlerToRun>): string;
  started(attemptId: string): Promise<void>;
  ended(attemptId: string): Promise<ExecutorEnd>;
  runToEnd(handler: string, data?: unknown, more?: Partial<HandlerToRun>): Promise<ExecutorEnd>;
  executorLost(): Promise<{ attemptIds: readonly string[]; detail: string }>;
  /** Of what was given back because its thread ended before it had started. */
  unstarted(): Promise<readonly string[]>;
  printed(): Promise<void>;
}

const runners: HandlerRunner[] = [];

export function fixtureModule(name: string): string {
  return join(__dirname, name);
}

export async function startHandlers(params: Partial<HandlerRunnerParams> = {}): Promise<HandlerHarness> {
  const emitter = new EventEmitter().setMaxListeners(0);
  const busy: boolean[] = [];
  const ends: ExecutorEnd[] = [];
  const chunks: ExecutorOutput[] = [];
  const startedIds = new Set<string>();
  const runner = new HandlerRunner({
    modulePath: fixtureModule('fixture-handlers.cjs'),
    clock: systemClock,
    logger: silentLogger,
    environment: { PATH: '/bin', ORCHESTRATOR_JOIN_TOKEN: 'secret' },
    onBusy: (running) => busy.push(running),
    events: {
      started: (attemptId) => {
        startedIds.add(attemptId);
        emitter.emit('started');
      },
      output: (chunk) => {
        chunks.push(chunk);
        emitter.emit('output');
      },
      ended: (end) => {
        ends.push(end);
        emitter.emit('ended');
      },
      unstarted: (attemptIds) => void emitter.emit('unstarted', attemptIds),
      executorLost: (attemptIds, detail) => void emitter.emit('executorLost', { attemptIds, detail }),
    },
    ...params,
  });
  runners.push(runner);
  await runner.start();

  const run: HandlerHarness['run'] = (handler, data, more) => {
    const attemptId = `${randomUUID()}.0`;
    runner.run({
      attemptId,
      jobId: 'default:1',
      attempt: 1,
      fence: 7,
      traceparent: '',
      workerId: 'worker-1',
      specJson: JSON.stringify({ name: 'a job', handler, data }),
      timeoutMs: 0,
      killGraceMs: 200,
      maxOutputBytes: 65_536,
      ...more,
    });
    return attemptId;
  };
  const ended = async (attemptId: string): Promise<ExecutorEnd> => {
    for (;;) {
      const end = ends.find((candidate) => candidate.attemptId === attemptId);
      if (end !== undefined) {
        return end;
      }
      await once(emitter, 'ended');
    }
  };
  return {
    runner,
    busy,
    ends,
    chunks,
    run,
    started: async (attemptId) => {
      while (!startedIds.has(attemptId)) {
        await once(emitter, 'started');
      }
    },
    ended,
    runToEnd: (handler, data, more) => ended(run(handler, data, more)),
    executorLost: async () =>
      ((await once(emitter, 'executorLost')) as [{ attemptIds: readonly string[]; detail: string }])[0],
    unstarted: async () => ((await once(emitter, 'unstarted')) as [readonly string[]])[0],
    printed: async () => {
      await once(emitter, 'output');
    },
  };
}

export async function stopHandlers(): Promise<void> {
  await Promise.all(runners.splice(0).map((runner) => runner.stop()));
}
