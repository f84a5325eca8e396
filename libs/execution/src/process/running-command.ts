import type { Readable } from 'node:stream';

import type { OutputStreamName } from '../executor.js';
import type { CommandExit } from './command-end.js';

/** What becomes of a command, from whoever starts it. */
export interface CommandEvents {
  /** The chunk is valid only during the call. */
  onData: (stream: OutputStreamName, chunk: Buffer) => void;
  /** It runs. Its parent is this process or a helper of it. */
  onStarted: (pid: number, parent: number) => void;
  /** Called instead of `onStarted`: nothing of it has run. */
  onFailed: (error: unknown) => void;
  /** It has ended, and its number may soon be somebody else's. `groupLives`: others of its group live on. */
  onExit: (exit: CommandExit, groupLives: boolean) => void;
  /** Who was to wait for it is gone: nobody will know how it ends. */
  onLost: (detail: string) => void;
}

export interface RunningCommand {
  /** Those of its outputs that are being read. */
  readonly outputs: readonly Readable[];
  /** No more of its output is wanted, and it gets no more input. */
  destroy(): void;
  /**
   * Before `onStarted`: makes sure that it starts no more; resolves then. It may have begun just before.
   * Without it a command has started or failed when its starter returns.
   */
  abort?(): Promise<void>;
}
