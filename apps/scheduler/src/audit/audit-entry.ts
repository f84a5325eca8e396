/** What can be done to the system: `<what>.<done>`. */
export const AUDIT_ACTIONS = [
  'job.submit',
  'batch.submit',
  'job.cancel',
  'job.retry',
  'job.delete',
  'worker.drain',
  'worker.join',
  'access.check',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** A change, or the refusal of one. */
export interface AuditEntry {
  /** Wall clock, milliseconds. */
  atMs: number;
  action: AuditAction;
  /** The name of the token, or of the worker; undefined: nobody was asked, or nobody was known. */
  who: string | undefined;
  /** Address of the connection. */
  from: string;
  /** Ids of jobs, batches, workers. At most `MAX_AUDIT_TARGETS` of them. */
  targets: readonly string[];
  outcome: 'done' | 'refused' | 'failed';
  /** Status of the answer (HTTP), or name of the gRPC status. */
  status: number | string;
  /** Why not; never a secret, never the body of a request. */
  detail?: string;
}

/** Of a batch, its own id is there; its jobs are found by it. */
export const MAX_AUDIT_TARGETS = 20;

/** Takes entries; never throws, never waits: what writes them is bounded and says when it cannot. */
export interface AuditLog {
  record(entry: AuditEntry): void;
}
