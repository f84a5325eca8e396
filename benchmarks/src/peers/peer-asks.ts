/** What the bench asks of a peer's process. */
export interface PeerFill {
  count: number;
  /** Jobs that have finished stay. */
  keep?: boolean;
}

export interface PeerTask {
  count: number;
  concurrency: number;
  /** Without: a function that does nothing. */
  task?: { argv: readonly string[]; marks?: string };
}

export interface PacedPeer {
  count: number;
  perSecond: number;
  concurrency: number;
}

export interface PeerRun {
  ms: number;
  /** Of the peer's process, in user and kernel. */
  cpuUs: number;
}
