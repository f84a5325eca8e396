import type { Readable } from 'node:stream';

import type { Clock } from '@orchestrator/core';

/** After its end a command's output is read on for this long at most … */
export const DRAIN_LIMIT_MS = 1_000;
/** … and only while something comes this quickly: a grandchild that holds the pipe delays nothing. */
const DRAIN_IDLE_MS = 30;

/** Resolves when the streams have ended, or nothing comes any more, or the limit is over. */
export function drainOutput(clock: Clock, streams: readonly Readable[]): Promise<void> {
  const startedAtMs = clock.monotonicMs();
  return new Promise((resolve) => {
    let chunks = 0;
    let seen = 0;
    const finishWhenOver = (): void => {
      if (streams.every((stream) => stream.readableEnded || stream.destroyed)) {
        finish();
      }
    };
    // The timer may fire before the loop has read what is there: sockets are polled before an immediate runs.
    const check = (): void => {
      setImmediate(() => {
        if (chunks === seen || clock.monotonicMs() - startedAtMs >= DRAIN_LIMIT_MS) {
          finish();
        } else {
          seen = chunks;
          timer = clock.setTimer(DRAIN_IDLE_MS, check);
        }
      });
    };
    const count = (): void => {
      chunks += 1;
    };
    const finish = (): void => {
      timer.cancel();
      for (const stream of streams) {
        stream.off('data', count).off('end', finishWhenOver).off('close', finishWhenOver);
      }
      resolve();
    };
    let timer = clock.setTimer(DRAIN_IDLE_MS, check);
    for (const stream of streams) {
      stream.on('data', count).on('end', finishWhenOver).on('close', finishWhenOver);
    }
    finishWhenOver();
  });
}
