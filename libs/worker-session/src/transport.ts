import type {
  GoneRequest,
  OutputMark,
  OutputMessage,
  SchedulerMessage,
  WorkerMessage,
} from '@orchestrator/proto-types';

/** How a worker reaches schedulers. gRPC in a program, anything in a test or a simulation. */
export interface SchedulerTransport {
  /** Dials. Never throws; what goes wrong arrives as `closed`, also when there is no connection within the limit. */
  open(address: string, peer: LinkPeer, connectLimitMs?: number): SchedulerLink;
  /** A session's last will. Rejects when nobody took it within the limit. */
  gone(address: string, request: GoneRequest, limitMs: number): Promise<void>;
}

/**
 * The worker's end of a link. What is to be sent is *pulled* when the transport can take it, so nothing queues up
 * behind a slow connection: the sender's state is the only buffer, and a heartbeat is never older than its pull.
 */
export interface LinkPeer {
  /** Whose attempts its output is. */
  readonly worker: string;
  readonly session: string;
  /** The next message, or undefined when there is none; `SchedulerLink.wake` says that there is one again. */
  pull(): WorkerMessage | undefined;
  pullOutput(): OutputMessage | undefined;
  message(message: SchedulerMessage): void;
  outputAcknowledged(marks: readonly OutputMark[]): void;
  /** The output stream broke; it is opened again by the next wake. What was not acknowledged has to be sent again. */
  outputLost(): void;
  /** Called exactly once, also after `close`. */
  closed(why: LinkClosed): void;
}

export interface LinkClosed {
  kind: 'refused' | 'lost' | 'finished';
  detail: string;
  /** Somebody has to do something about it. */
  isMisconfigured?: boolean;
}

export interface SchedulerLink {
  readonly address: string;
  /** There is something to pull. */
  wake(): void;
  wakeOutput(): void;
  /** Sends what there is, ends the stream and waits for the scheduler's end, at most this long. Never throws. */
  finish(limitMs: number): Promise<void>;
  /** Ends it now. */
  close(): void;
}
