import type { Readable } from 'node:stream';

import type { Clock } from '@orchestrator/core';

/** After its end a command's output is read on for this long at most … */
export const DRAIN_LIMIT_MS = 1_000;
/** … and only while something comes this quickly: a grandchild that holds the pipe delays nothing. */
const DRAIN_IDLE_MS = 30;

export interface DrainParams {
  clock: Clock;
  streams: readonly Readable[];
  /** Bytes read so far. */
  progress: () => number;
}

/** Resolves when the streams have ended, or nothing comes any more, or the limit is over. */
export function drainOutput({ clock, streams, progress }: DrainParams): Promise<void> {
  const startedAtMs = clock.monotonicMs();
  return new Promise((resolve) => {
    let seen = progress();
    const finish = (): void => {
      timer.cancel();
      streams.forEach((stream) => stream.off('end', finishWhenOver).off('close', finishWhenOver));
      resolve();
    };
    const finishWhenOver = (): void => {
      if (streams.every((stream) => stream.readableEnded || stream.destroyed)) {
        finish();
      }
    };
    const look = (): void => {
      if (progress() === seen || clock.monotonicMs() - startedAtMs >= DRAIN_LIMIT_MS) {
        finish();
      } else {
        seen = progress();
        timer = clock.setTimer(DRAIN_IDLE_MS, lookSoon);
      }
    };
    // The timer may fire before the loop has read what is there: pipes are polled before an immediate runs.
    const lookSoon = (): void => void setImmediate(look);
    let timer = clock.setTimer(DRAIN_IDLE_MS, lookSoon);
    streams.forEach((stream) => stream.on('end', finishWhenOver).on('close', finishWhenOver));
    finishWhenOver();
  });
}
