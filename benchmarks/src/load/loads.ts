/** What each job is: a handler by name with its data, a command, or a command that leaves a mark named after the job. */
export type JobShape =
  | { kind: 'handler'; name: string; pools?: readonly string[]; retainS?: number }
  | { kind: 'argv'; argv: readonly string[]; marks?: string };

interface Load {
  url: string;
  /** Number of the first job. */
  from: number;
  count: number;
  shape: JobShape;
}

export interface SingleLoad extends Load {
  inFlight: number;
}

export interface BulkLoad extends SingleLoad {
  /** Jobs in one request. */
  size: number;
}

export interface PacedLoad extends Load {
  perSecond: number;
  /** Each job's result is asked for, by a request of its own. */
  results: boolean;
}

export interface SingleLoaded {
  startWallMs: number;
  ms: number;
  /** What making this load cost the process that made it. */
  cpuUs: number;
}

export interface BulkLoaded extends SingleLoaded {
  batches: { id: string; total: number }[];
}

/** By number of the job, on the clock that all processes share. */
export interface PacedLoaded {
  sentMs: number[];
  acceptedMs: number[];
  /** NaN where results were not asked for. */
  resultMs: number[];
}

export interface SteadyLoad {
  url: string;
  seconds: number;
  /** Handlers a second, one request each. */
  singles: number;
  /** Commands a second, one request each. */
  commands: number;
  /** Handlers in the request that comes once a second. */
  batch: number;
  /** Folder for the marks that the commands leave. */
  marks: string;
}

export interface SteadyLoaded {
  ms: number;
  /** How many were accepted. */
  handlers: number;
  commands: number;
}
