/** What the bench asks of the process that holds many workers. */
export interface FleetParams {
  /** Of a scheduler's gRPC port. */
  address: string;
  count: number;
  pool: string;
}

export interface FleetStarted {
  /** From the first dial to the last Welcome. */
  welcomedMs: number;
}

/** Since the last asking. */
export interface Beats {
  /** From the moment a heartbeat was handed to its stream to the arrival of its acknowledgement. */
  acknowledgedMs: number[];
  /** Links that ended, sessions that were over: each is one too many. */
  troubles: string[];
}
