import { freemem, loadavg, totalmem } from 'node:os';

import type { WorkerUsage } from '@orchestrator/worker-session';

/** How busy this machine is, for people. */
export function readUsage(): WorkerUsage {
  const total = totalmem();
  return { load: loadavg()[0] ?? 0, memoryUsedBytes: total - freemem(), memoryTotalBytes: total };
}
