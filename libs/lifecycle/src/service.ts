/**
 * Everything that runs in the background. `start` resolves when it is at work; `stop` resolves when it has ended and
 * holds nothing any more. Both may be called twice, `stop` also before `start` or during it.
 */
export interface Service {
  readonly name: string;
  /** How long `stop` may take where that is longer than for others (`ServiceListDeps.stopLimitMs`). */
  readonly stopLimitMs?: number;
  start(): Promise<void>;
  stop(): Promise<void>;
}
