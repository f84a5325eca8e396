import { constants } from 'node:os';

import type { AttemptEnd, Failure } from '@orchestrator/core';

import type { ExecutorEnd } from '../executor.js';
import type { AttemptOutput } from './attempt-output.js';
import type { SpawnFailure } from './spawn-failure.js';

export interface CommandExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Why it was sent SIGTERM. */
export interface EndRequest {
  reason: 'timeout' | 'cancelled';
  message: string;
}

export interface CommandEndParams {
  attemptId: string;
  exit: CommandExit;
  endRequest: EndRequest | undefined;
  startedAtWallMs: number;
  durationMs: number;
  output: AttemptOutput;
  wasFrozen: boolean;
}

export function toEnd(params: CommandEndParams): ExecutorEnd {
  const { attemptId, exit, endRequest, output } = params;
  const failure: Failure | null = endRequest ?? toFailure(exit);
  const end: AttemptEnd = { exitCode: exit.code, signal: exit.signal, failure, output: output.counts() };
  return {
    attemptId,
    outcome: failure === null ? 'succeeded' : failure.reason === 'cancelled' ? 'cancelled' : 'failed',
    end,
    retryable: failure !== null && failure.reason !== 'cancelled',
    ...(params.wasFrozen && { wasFrozen: true }),
    startedAtWallMs: params.startedAtWallMs,
    durationMs: Math.round(params.durationMs),
    output: output.takeAll(),
  };
}

export function toSpawnErrorEnd(attemptId: string, failure: SpawnFailure, wallMs: number): ExecutorEnd {
  const end = toUnstartedEnd({ reason: 'spawn_error', message: failure.message });
  const { retryable } = failure;
  return { attemptId, outcome: 'failed', end, retryable, startedAtWallMs: wallMs, durationMs: 0, output: [] };
}

/** Cancelled before it was started. */
export function toCancelledEnd(attemptId: string, reason: string, wallMs: number): ExecutorEnd {
  const end = toUnstartedEnd({ reason: 'cancelled', message: reason });
  return { attemptId, outcome: 'cancelled', end, retryable: false, startedAtWallMs: wallMs, durationMs: 0, output: [] };
}

function toUnstartedEnd(failure: Failure): AttemptEnd {
  return { exitCode: null, signal: null, failure, output: { stdoutBytes: 0, stderrBytes: 0, truncated: false } };
}

/** How a shell reports that its last command was killed: 128 + the signal's number. */
const SHELL_KILLED = 128;

function toFailure(exit: CommandExit): Failure | null {
  if (exit.signal !== null) {
    return { reason: 'signal', message: `was killed by ${exit.signal}${oomHint(exit.signal)}` };
  }
  if (exit.code === 0) {
    return null;
  }
  const code = exit.code ?? -1;
  const hint = code === SHELL_KILLED + constants.signals.SIGKILL ? oomHint('SIGKILL') : '';
  return { reason: 'exit_code', message: `exited with code ${code}${hint}` };
}

function oomHint(signal: NodeJS.Signals): string {
  return signal === 'SIGKILL' ? ' (not by this worker: perhaps the machine was out of memory)' : '';
}
