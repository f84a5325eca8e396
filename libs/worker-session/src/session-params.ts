import type { Clock } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import type { RunnerFactory } from './runner.js';

export interface WorkerIdentity {
  workerId: string;
  pools: readonly string[];
  slots: number;
  labels: Readonly<Record<string, string>>;
  version: string;
  host: string;
  pid: number;
}

export interface WorkerUsage {
  load: number;
  memoryUsedBytes: number;
  memoryTotalBytes: number;
}

/** Why a session is over: it was declared dead, or a newer process has the worker's id. */
export type SessionEnd = { kind: 'dead'; reason: string } | { kind: 'superseded'; bySession: string };

/** What a session asks of the connection below it. */
export interface SessionLink {
  /** There is something to pull. */
  wake(): void;
  wakeOutput(): void;
  welcomed(): void;
  /** This link is of no use: another scheduler, please. */
  leave(reason: string): void;
}

export interface WorkerSessionParams {
  /** Random, new for each one. */
  id: string;
  identity: WorkerIdentity;
  clock: Clock;
  uptimeMs: () => number;
  createRunner: RunnerFactory;
  usage: () => WorkerUsage;
  logger: Logger;
  link: SessionLink;
  /** What is held changed. */
  onChange(): void;
  /** REST drains this worker. */
  onDrain(reason: string): void;
}
