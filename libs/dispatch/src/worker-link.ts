import type { SchedulerMessage } from '@orchestrator/proto-types';

/** Why the scheduler's side ended a stream; the transport makes a status of it. */
export type CloseCode =
  /** It does not read what it is sent. */
  | 'SLOW_CONSUMER'
  /** It sends more than any worker has to say. */
  | 'FLOODING'
  /** What it sent makes no sense here. */
  | 'PROTOCOL'
  /** It speaks for a worker or session that is not its own. */
  | 'FOREIGN'
  /** Its heartbeats arrive, but it does not see that they are acknowledged. */
  | 'UNACKNOWLEDGED'
  /** A later Hello of this session was accepted somewhere. */
  | 'STALE_HELLO'
  /** The same session has a newer stream to this scheduler. */
  | 'REPLACED'
  /** It said Goodbye, or its executor said Gone. */
  | 'LEFT'
  /** This scheduler stops. */
  | 'RECONNECT'
  /** The worker's side ended or broke it. */
  | 'BROKEN';

export interface CloseReason {
  code: CloseCode;
  /** For people. */
  detail: string;
}

/** The way to one worker, whatever carries it. Neither method throws. */
export interface WorkerLink {
  /** Hands over a message; never waits. False: it was closed, or is now, because too much lies unsent. */
  send(message: SchedulerMessage): boolean;
  /** Sends what was handed over before and ends the stream; a second time does nothing. */
  close(reason: CloseReason): void;
}
