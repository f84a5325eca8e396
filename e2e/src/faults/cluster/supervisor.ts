import { letPass } from '../../harness/wait.js';
import type { FaultCluster } from './fault-cluster.js';

const LOOK_EVERY_MS = 100;

/** Starts each worker again whenever its process has ended, as a service manager does; call the answer to end that. */
export function superviseWorkers(cluster: FaultCluster): () => Promise<number> {
  let stopped = false;
  let restarts = 0;
  const loop = (async () => {
    while (!stopped) {
      for (const seat of cluster.workers.values()) {
        if (!seat.isRunning) {
          seat.expectEnd();
          seat.launch();
          restarts += 1;
        }
      }
      await letPass(LOOK_EVERY_MS);
    }
  })();
  return async () => {
    stopped = true;
    await loop;
    return restarts;
  };
}
