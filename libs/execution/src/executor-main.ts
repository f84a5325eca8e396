import { Socket } from 'node:net';

import { systemClock } from '@orchestrator/core';

import { FrameChannel } from './frames.js';
import { ExecutorServer } from './process/executor-server.js';
import { uptimeMs } from './uptime.js';
import { CHANNEL_FD, type FromExecutor, outputBytesOf, type ToExecutor } from './wire.js';

// The executor's process. Whoever signals the whole group means the worker; what becomes of the commands is the worker's to say.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => undefined);
}

const channel = new FrameChannel<FromExecutor, ToExecutor>({
  stream: new Socket({ fd: CHANNEL_FD }),
  weigh: outputBytesOf,
  onMessage: (message) => server.accept(message),
  onClosed: () => void server.workerGone(),
});

const server = new ExecutorServer({
  clock: systemClock,
  uptimeMs,
  channel,
  exit: (code) => process.exit(code),
});
