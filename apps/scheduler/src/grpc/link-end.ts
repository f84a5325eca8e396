import type { Socket } from 'node:net';

import type { Clock } from '@orchestrator/core';
import type { CloseReason } from '@orchestrator/dispatch';
import type { Logger } from '@orchestrator/telemetry';

export interface LinkEndDeps {
  clock: Clock;
  logger: Logger;
  limits?: LinkEndLimits | undefined;
}

export interface LinkEndLimits {
  /** For one that does not read, or floods: its status may still reach it. */
  faultMs: number;
  /** For any other to end by itself. */
  otherMs: number;
}

export const DEFAULT_LINK_END_LIMITS: LinkEndLimits = { faultMs: 1_000, otherMs: 5_000 };

/**
 * A link was closed by our side: its connection is cut when it does not end in time. A worker that does not read keeps
 * everything that is written last in its way, the status included, so its connection is cut in any case.
 */
export function endInTime(
  { clock, logger, limits = DEFAULT_LINK_END_LIMITS }: LinkEndDeps,
  link: { peer: string; socket: Socket | undefined; reason: CloseReason; ended: Promise<void> },
): void {
  const { peer, socket, reason, ended } = link;
  if (socket === undefined) {
    return;
  }
  const isFault = reason.code === 'SLOW_CONSUMER' || reason.code === 'FLOODING';
  const timer = clock.setTimer(isFault ? limits.faultMs : limits.otherMs, () => {
    forget();
    logger.warn('the connection of a worker was cut: its stream did not end', { peer, code: reason.code });
    socket.destroy();
  });
  function forget(): void {
    timer.cancel();
    socket?.off('close', forget);
  }
  socket.once('close', forget);
  if (!isFault) {
    void ended.then(forget);
  }
}
