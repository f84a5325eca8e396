import { AsyncLocalStorage } from 'node:async_hooks';
import { parentPort, workerData } from 'node:worker_threads';

import { systemClock } from '@orchestrator/core';

import type { OutputStreamName } from '../executor.js';
import { LiveOutput } from '../process/live-output.js';
import { uptimeMs } from '../uptime.js';
import { type Handler, loadHandlers } from './handler-module.js';
import { HandlerQueue } from './handler-queue.js';
import type { FromThread, HandlerToRun, ThreadSetup, ToThread } from './handler-wire.js';
import { pack, type Posted, unpack } from './posted.js';
import { RunningHandler } from './running-handler.js';
import { SharedCells } from './shared-cells.js';

// The thread in which handlers run. What a handler does to it (a busy loop, a leak, an exit) the worker survives.

const { modulePath, shared } = workerData as ThreadSetup;
const current = new AsyncLocalStorage<RunningHandler>();
const running = new Map<string, RunningHandler>();
/** Started, and the main thread has not been told. */
let untold: RunningHandler[] = [];
let outgoing: FromThread[] = [];
let firstPostedMs = 0;
let find: (name: string) => Handler | undefined = () => undefined;

/** What is posted within one turn travels together; but nothing waits for a handler that blocks the loop later. */
const POST_WITHIN_MS = 1;

function post(message: FromThread): void {
  const now = systemClock.monotonicMs();
  if (outgoing.push(message) === 1) {
    firstPostedMs = now;
    setImmediate(flush);
  } else if (now - firstPostedMs >= POST_WITHIN_MS) {
    flush();
  }
}

function flush(): void {
  for (const handler of untold) {
    if (!handler.hasSettled) {
      const { attemptId, startedAtWallMs, startedAtMs } = handler;
      outgoing.push({ kind: 'started', attemptId, startedAtWallMs, forMs: systemClock.monotonicMs() - startedAtMs });
    }
  }
  untold = [];
  if (outgoing.length > 0) {
    parentPort?.postMessage(pack(outgoing));
    outgoing = [];
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

function start(attempt: HandlerToRun): void {
  const handler = new RunningHandler({
    clock: systemClock,
    attempt,
    post,
    onOutput: ({ output, startedAtMs }) => live.notice(output, startedAtMs),
  });
  running.set(attempt.attemptId, handler);
  if (untold.push(handler) === 1) {
    setImmediate(flush);
  }
  void current
    .run(handler, () => handler.run(find(attempt.handler)))
    .finally(() => {
      running.delete(attempt.attemptId);
      live.forget(handler.output);
      queue.ended();
    });
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
    parentPort?.on('message', (posted: Posted<ToThread>) => {
      unpack(posted).forEach(accept);
      queue.pump();
    });
    post({ kind: 'ready' });
  } catch (error) {
    post({ kind: 'unloadable', detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
}

function accept(message: ToThread): void {
  switch (message.kind) {
    case 'run':
      return queue.add(message.attempt, message.cell);
    case 'slots':
      return queue.setSlots(message.slots);
    case 'abort':
      return running.get(message.attemptId)?.abort(message);
    case 'acknowledge':
      return running.get(message.attemptId)?.output.acknowledge(message.stream, message.endOffset);
  }
}

capture('stdout');
capture('stderr');
process.on('uncaughtException', strayed);
process.on('unhandledRejection', strayed);
void main();
