import type { Workload } from '../workload.js';
import { handlers } from './handlers.js';
import { heap } from './heap.js';
import { idleWorkers } from './idle-workers.js';
import { jobBytes } from './job-bytes.js';
import { latency } from './latency.js';
import { longDrain } from './long-drain.js';
import { longQueue } from './long-queue.js';
import { manyPools } from './many-pools.js';
import { memory } from './memory.js';
import { post } from './post.js';
import { retention } from './retention.js';
import { topology } from './topology.js';
import { trueCommands } from './true.js';

/** In the order in which they run. */
export const workloads: readonly Workload[] = [
  handlers,
  trueCommands,
  heap,
  latency,
  post,
  topology,
  idleWorkers,
  manyPools,
  longQueue,
  longDrain,
  retention,
  jobBytes,
  memory,
];
