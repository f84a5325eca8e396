export type { WorkerParams } from './worker.js';
export { OrchestratorWorker, WORKER_EXITS } from './worker.js';
export type { WorkerIdentity, WorkerUsage } from './session.js';
export { DEFAULT_DRAIN_TIMEOUT_MS } from './drain.js';
export { JoinRefusedError } from './errors.js';
export type { AssignedAttempt, AttemptRunner, RunnerEvents, RunnerFactory } from './runner.js';
export type { GrpcTransportParams } from './grpc-transport.js';
export { GrpcTransport } from './grpc-transport.js';
export type { LinkClosed, LinkPeer, SchedulerLink, SchedulerTransport } from './transport.js';
