import type { JobData } from '../job-data.js';

export type Work = (data: JobData) => Promise<void>;

/** A queue of a peer, as its own users use it; one name in Redis. */
export interface PeerQueue {
  /** All at once, by its own bulk call. */
  fill(jobs: readonly JobData[]): Promise<void>;
  add(data: JobData): Promise<void>;
  /** Starts a worker; `completed` is called after the result of a job is in Redis. */
  work(work: Work, concurrency: number, completed: (data: JobData) => void): Promise<void>;
  /** Jobs that are anywhere in it. */
  leftovers(): Promise<string[]>;
  close(): Promise<void>;
}

export interface PeerQueueParams {
  redisPort: number;
  name: string;
  /** Whoever submits hears of results, too, as for a caller that waits. Dearer, so only where that is measured. */
  events: boolean;
  /** Finished jobs stay. Dearer, so only where what they occupy is measured. */
  keep?: boolean | undefined;
}
