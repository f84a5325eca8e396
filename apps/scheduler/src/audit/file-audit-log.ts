import { close, fdatasync, stat, write } from 'node:fs';
import { promisify } from 'node:util';

import type { Clock, Timer } from '@orchestrator/core';
import { type Service, withTimeout } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

import { type ChainHead, toChainLine } from './audit-chain.js';
import type { AuditEntry, AuditLog } from './audit-entry.js';
import { toAuditFields } from './audit-fields.js';
import { type AuditFileEnd, type OpenedAuditFile, openAuditFile, readEnd } from './audit-file.js';
import type { AuditNote } from './audit-note.js';

export interface FileAuditLogParams {
  path: string;
  clock: Clock;
  logger: Logger;
  /** What waits for the disk. Default `MAX_WAITING`. */
  maxWaiting?: number;
}

/** At two thousand changes a second five seconds without a disk; at most 100 MB of memory, usually 3. */
export const MAX_WAITING = 10_000;
const BATCH = 500;
export const RETRY_MS = 1_000;
export const STOP_LIMIT_MS = 2_000;

const writeAsync = promisify(write);
const syncAsync = promisify(fdatasync);
const statAsync = promisify(stat);
const closeAsync = promisify(close);

type Waiting = { time: string } & (Record<string, unknown> | AuditNote);
type Loss = Waiting & { note: 'lost'; entries: number };

/**
 * The audit log as a file of its own: a chain of JSON lines that goes on over restarts and over renaming (logrotate). What
 * comes while a batch is on its way to the disk is the next batch. While nothing can be written it waits in memory, up to
 * a limit; what found no room is counted, and the chain says so where it is missing.
 */
export class FileAuditLog implements AuditLog, Service {
  readonly name = 'audit log';
  readonly #params: FileAuditLogParams;
  readonly #maxWaiting: number;
  #file: OpenedAuditFile;
  #head: ChainHead;
  #end: AuditFileEnd;
  #waiting: Waiting[] = [];
  /** The loss that is going on: the last of `#waiting`. */
  #loss: Loss | undefined;
  #lost = 0;
  #trouble: string | undefined;
  #working: Promise<void> | undefined;
  #retry: Timer | undefined;
  #isStopped = false;

  /** @throws {AuditFileError} */
  constructor(params: FileAuditLogParams) {
    this.#params = params;
    this.#maxWaiting = params.maxWaiting ?? MAX_WAITING;
    this.#file = openAuditFile(params.path);
    this.#end = this.#file.end;
    this.#head = this.#end.head;
  }

  /** Entries that found no room. */
  get lost(): number {
    return this.#lost;
  }

  record(entry: AuditEntry): void {
    if (this.#isStopped || this.#waiting.length >= this.#maxWaiting) {
      this.#lose(entry.atMs);
      return;
    }
    this.#loss = undefined;
    this.#waiting.push({ time: new Date(entry.atMs).toISOString(), ...toAuditFields(entry) });
    this.#work();
  }

  async start(): Promise<void> {
    const { path, logger } = this.#params;
    const { torn } = this.#end;
    if (!this.#file.isLocked) {
      logger.warn('the audit log cannot be locked here (no flock): see that no other scheduler writes it', { path });
    }
    if (torn > 0) {
      logger.warn('the last line of the audit log was torn by a crash: the chain goes on after it', { path, torn });
    }
    // With these two, kept where the file is not, a chain that was written anew is recognised.
    logger.info('the audit log goes on', { path, seq: this.#head.seq, hash: this.#head.hash });
    this.#work();
  }

  /** Writes what waits, as far as it can be written within `STOP_LIMIT_MS`. */
  async stop(): Promise<void> {
    if (this.#isStopped) {
      return;
    }
    const { clock, path, logger } = this.#params;
    await withTimeout(clock, STOP_LIMIT_MS, 'the audit log', this.settled()).catch(() => undefined);
    this.#isStopped = true;
    this.#retry?.cancel();
    if (this.#waiting.length > 0) {
      logger.error('entries of the audit log could not be written', { path, entries: this.#waiting.length });
    }
    logger.info('the audit log ends', { path, seq: this.#head.seq, hash: this.#head.hash });
    await closeAsync(this.#file.fd);
  }

  /** Resolves when everything so far is on the disk, or one more try has failed. */
  async settled(): Promise<void> {
    if (this.#retry !== undefined) {
      this.#retry.cancel();
      this.#retry = undefined;
      this.#work();
    }
    await this.#working;
  }

  #lose(atMs: number): void {
    this.#lost += 1;
    if (this.#loss === undefined) {
      const loss: Loss = { time: new Date(atMs).toISOString(), note: 'lost', entries: 0 };
      this.#waiting.push(loss);
      this.#loss = loss;
    }
    this.#loss.entries += 1;
  }

  /** What was lost during a try that failed belongs to what was lost before it: one line, however long it lasts. */
  #joinLosses(): void {
    const [before, last] = this.#waiting.slice(-2).map(asLoss);
    if (before !== undefined && last !== undefined) {
      before.entries += last.entries;
      this.#waiting.pop();
    }
    this.#loss = this.#waiting.slice(-1).map(asLoss)[0];
  }

  #work(): void {
    const isFree = this.#working === undefined && this.#retry === undefined && !this.#isStopped;
    if (isFree && this.#waiting.length > 0) {
      this.#working = this.#writeAll();
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#loss = undefined; // what is lost from now on comes after this batch
      try {
        await this.#followName();
        await this.#writeBatch();
        this.#recovered();
      } catch (error) {
        this.#failed(error);
        break;
      }
    }
    // In the same turn as the last look at what waits: nothing can come in between and be forgotten.
    this.#working = undefined;
  }

  async #writeBatch(): Promise<void> {
    const { torn, isMidLine } = this.#end;
    const lineEnd = isMidLine ? '\n' : '';
    const batch = this.#waiting.slice(0, BATCH);
    const said: object[] = torn === 0 ? batch : [this.#tornNote(torn + lineEnd.length), ...batch];
    let head = this.#head;
    const lines = said.map((one) => {
      const next = toChainLine(head, one);
      head = next.head;
      return `${next.line}\n`;
    });
    try {
      await this.#writeFully(Buffer.from(lineEnd + lines.join('')));
    } catch (error) {
      // How much of it has arrived is read from the file: a full disk takes the beginning.
      const end = readEnd(this.#file.fd);
      const arrived = Math.max(0, end.head.seq - this.#head.seq);
      if (arrived > 0) {
        this.#head = end.head;
        this.#waiting.splice(0, arrived - (said.length - batch.length));
      }
      this.#end = end;
      throw error;
    }
    this.#head = head;
    this.#end = { head, torn: 0, isMidLine: false };
    this.#waiting.splice(0, batch.length);
  }

  #tornNote(bytes: number): object {
    return { time: new Date(this.#params.clock.wallMs()).toISOString(), note: 'torn', bytes } satisfies Waiting;
  }

  async #writeFully(bytes: Buffer): Promise<void> {
    const { fd } = this.#file;
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await writeAsync(fd, bytes, at, bytes.length - at, null);
      at += bytesWritten;
    }
    await syncAsync(fd);
  }

  /** Its name belongs to another file, or to none: it was renamed, and the next lines belong into a new one. */
  async #followName(): Promise<void> {
    const { path, logger } = this.#params;
    const named = await statAsync(path).catch(() => undefined);
    if (named?.ino === this.#file.ino) {
      return;
    }
    const before = this.#file;
    this.#file = openAuditFile(path);
    this.#end = { ...this.#file.end, head: this.#head };
    await closeAsync(before.fd);
    logger.info('the audit log was renamed and goes on in a new file', { path, ...this.#head });
  }

  #failed(error: unknown): void {
    const { clock, path, logger } = this.#params;
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#trouble === undefined) {
      logger.error('the audit log cannot be written: entries wait in memory, up to a limit', { path, reason });
    }
    this.#trouble = reason;
    this.#joinLosses();
    this.#retry = clock.setTimer(RETRY_MS, () => {
      this.#retry = undefined;
      this.#work();
    });
  }

  #recovered(): void {
    if (this.#trouble !== undefined) {
      this.#trouble = undefined;
      this.#params.logger.info('the audit log can be written again', { path: this.#params.path, lost: this.#lost });
    }
  }
}

function asLoss(one: Waiting): Loss | undefined {
  return 'note' in one && one.note === 'lost' ? (one as Loss) : undefined;
}
