import type { Workload } from '../workload.js';
import { handlers } from './handlers.js';
import { heap } from './heap.js';
import { latency } from './latency.js';
import { post } from './post.js';
import { topology } from './topology.js';
import { trueCommands } from './true.js';

/** In the order in which they run. */
export const workloads: readonly Workload[] = [handlers, trueCommands, heap, latency, post, topology];
