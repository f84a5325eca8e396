import type { Client } from './client.js';
import type { FaultCluster, FaultClusterOptions } from './cluster/fault-cluster.js';
import type { Conclusion, ConcludeOptions } from './conclude.js';
import type { Recorder } from './recorder.js';
import type { SeededRandom } from './seeded-random.js';

/** What a machine must offer; without it a scenario is listed as not run, with the reason. */
export type Need =
  | 'a local redis-server'
  | 'the git history'
  | 'network namespaces'
  | 'tmpfs mounts'
  | 'a C compiler'
  | 'a memory cgroup (v1)';

export interface ScenarioContext {
  /** All random moments come from here: the same for the same seed. */
  readonly random: SeededRandom;
  /** Logs, history and what commands wrote. Kept when the scenario fails. */
  readonly folder: string;
  readonly recorder: Recorder;
  /** `--soak`: how long the endless scenarios go on. */
  readonly soakMs: number;
  /** Starts the cluster; the runner stops it. Once in a scenario. */
  cluster(options?: FaultClusterOptions): Promise<FaultCluster>;
  /** A client of all schedulers of the cluster. */
  client(): Client;
  /** Waits until every job is final, then checks the whole history. Throws what is wrong. */
  conclude(options?: ConcludeOptions): Promise<Conclusion>;
}

export interface Scenario {
  /** As in the fault matrix: P1, R4, N3, … */
  id: string;
  title: string;
  /** What users can rely on, in a sentence. */
  promise: string;
  /** Part of `npm test`: some seconds only. */
  quick: boolean;
  needs?: readonly Need[];
  /** Answers what was measured, for the table. */
  run(context: ScenarioContext): Promise<string>;
}

/** What is not as promised, apart from what the checker finds. */
export function requireThat(holds: boolean, what: string): void {
  if (!holds) {
    throw new Error(what);
  }
}
