import { InvalidValueError } from '@orchestrator/core';
import { type ClaimReply, type ClaimWant, StoreFullError, StoreUnavailableError } from '@orchestrator/queue';

/** A claim that goes into the store together with jobs just submitted. One of its two ends has to be called, once. */
export interface AccompanyingClaim {
  readonly wants: readonly ClaimWant[];
  /** Undefined: an answer was lost, and with it what may have been claimed. */
  answered(reply: ClaimReply | undefined): void;
  failed(error: unknown): void;
}

/** The jobs that a claim went with were refused, and so nothing was done: they are none, or there is no room for them. */
export function isRefusal(error: unknown): boolean {
  return error instanceof StoreFullError || error instanceof InvalidValueError;
}

/** Whether a claim that was not answered may have been carried out all the same. */
export function mayHaveClaimed(error: unknown): boolean {
  return !(error instanceof StoreUnavailableError && !error.mayHaveExecuted);
}
