import { AsyncLocalStorage } from 'node:async_hooks';
import { parentPort, workerData } from 'node:worker_threads';

import { systemClock } from '@orchestrator/core';

import type { OutputStreamName } from '../executor.js';
import { LiveOutput } from '../process/live-output.js';
import { uptimeMs } from '../uptime.js';
import { type Handler, loadHandlers } from './handler-module.js';
import { HandlerQueue } from './handler-queue.js';
import type { FromThread, HandlerOutcome, QueuedHandler, ThreadSetup, ToThread } from './handler-wire.js';
import { eachRun, type PostedFromThread, type PostedToThread, putEnd } from './posted.js';
import { type HandlerHost, RunningHandler } from './running-handler.js';
import { SharedCells } from './shared-cells.js';

// The thread in which handlers run. What a handler does to it (a busy loop, a leak, an exit) the worker survives.

const { modulePath, shared } = workerData as ThreadSetup;
const current = new AsyncLocalStorage<RunningHandler>();
/** Their functions have not come to their end. */
const running = new Map<string, RunningHandler>();
/** Started, and the main thread has not been told. */
let untold: RunningHandler[] = [];
let outgoing: PostedFromThread = { ends: [], messages: [] };
let flushIsDue = false;
let firstPostedMs = 0;
let find: (name: string) => Handler | undefined = () => undefined;

/** What is posted within one turn travels together; but nothing waits for a handler that blocks the loop later. */
const POST_WITHIN_MS = 1;

function post(message: FromThread): void {
  outgoing.messages.push(message);
  flushSoon(systemClock.monotonicMs());
}

function flushSoon(nowMs: number): void {
  if (!flushIsDue) {
    flushIsDue = true;
    firstPostedMs = nowMs;
    setImmediate(flush);
  } else if (nowMs - firstPostedMs >= POST_WITHIN_MS) {
    flush();
  }
}

function flush(): void {
  flushIsDue = false;
  for (const handler of untold) {
    if (!handler.hasSettled) {
      const { attempt, startedAtWallMs, startedAtMs } = handler;
      const forMs = systemClock.monotonicMs() - startedAtMs;
      outgoing.messages.push({ kind: 'started', attemptId: attempt.attemptId, startedAtWallMs, forMs });
    }
  }
  untold = [];
  if (outgoing.ends.length > 0 || outgoing.messages.length > 0) {
    parentPort?.postMessage(outgoing);
    outgoing = { ends: [], messages: [] };
  }
}

const live = new LiveOutput({
  clock: systemClock,
  send: (chunk) => post({ kind: 'output', chunk }),
  congested: () => false,
});

const queue = new HandlerQueue({
  cells: new SharedCells(shared),
  clock: systemClock,
  uptimeMs,
  start,
  dropped: (cell) => post({ kind: 'dropped', cell }),
});

const host: HandlerHost = {
  clock: systemClock,
  find: (name) => find(name),
  settled,
  onOutput: ({ startedAtMs }, output) => live.notice(output, startedAtMs),
  ended: (handler) => {
    running.delete(handler.attempt.attemptId);
    queue.ended();
  },
};

function start(attempt: QueuedHandler, nowMs: number): boolean {
  const handler = new RunningHandler(attempt, nowMs, host);
  const goesOn = current.run(handler, call, handler);
  if (goesOn) {
    running.set(attempt.attemptId, handler);
    untold.push(handler);
    flushSoon(nowMs);
  }
  return goesOn;
}

function call(handler: RunningHandler): boolean {
  return handler.run();
}

function settled(handler: RunningHandler, outcome: HandlerOutcome): void {
  const { attempt, startedAtWallMs, startedAtMs, output, isAborted: aborted } = handler;
  const nowMs = systemClock.monotonicMs();
  const durationMs = nowMs - startedAtMs;
  if (outcome.ok && output === undefined && !aborted) {
    putEnd(outgoing.ends, { cell: attempt.cell, startedAtWallMs, durationMs, resultJson: outcome.resultJson });
  } else {
    const { attemptId } = attempt;
    const times = { startedAtWallMs, durationMs };
    outgoing.messages.push({ kind: 'settled', attemptId, outcome, aborted, ...times, ...handler.takeOutput() });
  }
  if (output !== undefined) {
    live.forget(output);
  }
  flushSoon(nowMs);
}

/** What a handler prints is its job's output; what is printed outside of one goes where the worker's output goes. */
function capture(name: OutputStreamName): void {
  const stream = process[name];
  const print = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  const write = (data: string | Uint8Array, encoding?: unknown, done?: unknown): boolean => {
    const handler = current.getStore();
    if (handler === undefined) {
      return print(data, encoding, done);
    }
    const text = typeof data === 'string';
    handler.write(name, text ? Buffer.from(data, isEncoding(encoding) ? encoding : 'utf8') : Buffer.from(data));
    const callback = typeof encoding === 'function' ? encoding : done;
    if (typeof callback === 'function') {
      queueMicrotask(callback as () => void);
    }
    return true;
  };
  stream.write = write;
}

function isEncoding(encoding: unknown): encoding is BufferEncoding {
  return typeof encoding === 'string' && Buffer.isEncoding(encoding);
}

/** An error that no handler awaits fails the handler whose it is, and not the others in the thread. */
function strayed(error: unknown): void {
  const handler = current.getStore();
  if (handler === undefined) {
    post({ kind: 'stray', detail: String(error) });
  } else {
    handler.fail(error);
  }
}

async function main(): Promise<void> {
  try {
    find = await loadHandlers(modulePath);
    parentPort?.on('message', ({ runs, messages }: PostedToThread) => {
      eachRun(runs, (run) => queue.add(run));
      messages.forEach(accept);
      queue.pump();
    });
    post({ kind: 'ready' });
  } catch (error) {
    post({ kind: 'unloadable', detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
}

function accept(message: ToThread): void {
  switch (message.kind) {
    case 'slots':
      return queue.setSlots(message.slots);
    case 'abort':
      return running.get(message.attemptId)?.abort(message);
    case 'acknowledge':
      return running.get(message.attemptId)?.output?.acknowledge(message.stream, message.endOffset);
  }
}

capture('stdout');
capture('stderr');
process.on('uncaughtException', strayed);
process.on('unhandledRejection', strayed);
void main();
