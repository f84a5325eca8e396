import { AsyncLocalStorage } from 'node:async_hooks';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';

import { systemClock } from '@orchestrator/core';

import type { OutputStreamName } from '../executor.js';
import { LiveOutput } from '../process/live-output.js';
import { type Handler, loadHandlers } from './handler-module.js';
import type { FromThread, ThreadSetup, ToThread } from './handler-wire.js';
import { RunningHandler } from './running-handler.js';

// The thread in which handlers run. What a handler does to it (a busy loop, a leak, an exit) the worker survives.

const current = new AsyncLocalStorage<RunningHandler>();
const running = new Map<string, RunningHandler>();
let outgoing: FromThread[] = [];

/** What is posted within one turn travels together. */
function post(message: FromThread): void {
  if (outgoing.push(message) === 1) {
    setImmediate(() => {
      parentPort?.postMessage(outgoing);
      outgoing = [];
    });
  }
}

const live = new LiveOutput({
  clock: systemClock,
  send: (chunk) => post({ kind: 'output', chunk }),
  congested: () => false,
});

function start(
  attempt: Extract<ToThread, { kind: 'run' }>['attempt'],
  find: (name: string) => Handler | undefined,
): void {
  const handler = new RunningHandler({
    clock: systemClock,
    attempt,
    post,
    onOutput: ({ output, startedAtMs }) => live.notice(output, startedAtMs),
  });
  running.set(attempt.attemptId, handler);
  void current
    .run(handler, () => handler.run(find(attempt.handler)))
    .finally(() => {
      running.delete(attempt.attemptId);
      live.forget(handler.output);
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
  const { modulePath } = workerData as ThreadSetup;
  try {
    const find = await loadHandlers(modulePath);
    parentPort?.on('message', (messages: ToThread[]) => {
      announce(messages);
      messages.forEach((message) => accept(message, find));
    });
    post({ kind: 'ready' });
  } catch (error) {
    post({ kind: 'unloadable', detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
}

/** At once: a handler that is busy from its first line would keep the loop from saying so. */
function announce(messages: readonly ToThread[]): void {
  const started = messages.flatMap((message): FromThread[] =>
    message.kind === 'run' ? [{ kind: 'started', attemptId: message.attempt.attemptId }] : [],
  );
  if (started.length > 0) {
    parentPort?.postMessage(started);
  }
}

function accept(message: ToThread, find: (name: string) => Handler | undefined): void {
  switch (message.kind) {
    case 'run':
      return start(message.attempt, find);
    case 'abort':
      return running.get(message.attemptId)?.abort(message);
    case 'acknowledge':
      return running.get(message.attemptId)?.output.acknowledge(message.stream, message.endOffset);
  }
}

if (!isMainThread) {
  capture('stdout');
  capture('stderr');
  process.on('uncaughtException', strayed);
  process.on('unhandledRejection', strayed);
  void main();
}
