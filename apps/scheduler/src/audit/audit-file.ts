import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

import { OrchestratorError } from '@orchestrator/core';

import { CHAIN_START, type ChainHead, readChainLine } from './audit-chain.js';

/** Why a file cannot be the audit log. */
export class AuditFileError extends OrchestratorError {
  constructor(readonly reason: string) {
    super('BAD_AUDIT_FILE', reason);
  }
}

/** How a file ends. */
export interface AuditFileEnd {
  /** Its last good line. */
  head: ChainHead;
  /** Bytes after that. */
  torn: number;
  /** The last byte is none that ends a line. */
  isMidLine: boolean;
}

export interface OpenedAuditFile {
  fd: number;
  /** To know it again, when its name belongs to another file. */
  ino: number;
  end: AuditFileEnd;
  /** False: this system has no means to keep others from writing it. */
  isLocked: boolean;
}

/** A line is shorter than 20 kB, and what a failing disk leaves there is seldom more than a page. */
const TAIL_BYTES = 256 * 1024;
const LOCK_LIMIT_MS = 2_000;
const LINE_END = 0x0a;
const FIRST_BYTES = Buffer.from('{"seq":1,');

/** Opens a file that only grows, for this process alone, and finds the end of its chain. @throws {AuditFileError} */
export function openAuditFile(path: string): OpenedAuditFile {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AuditFileError(code === 'ELOOP' ? 'is a symbolic link' : `cannot be opened: ${code ?? 'unknown'}`);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      throw new AuditFileError('is not a regular file');
    }
    const isLocked = lock(fd);
    return { fd, ino: stat.ino, end: readEnd(fd), isLocked };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** @throws {AuditFileError} when it holds something else. */
export function readEnd(fd: number): AuditFileEnd {
  const { size } = fstatSync(fd);
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
  readSync(fd, tail, 0, tail.length, size - tail.length);
  const isMidLine = tail.length > 0 && tail[tail.length - 1] !== LINE_END;
  for (let end = tail.length; end > 0;) {
    const isWhole = tail[end - 1] === LINE_END;
    const start = end < 2 ? 0 : tail.lastIndexOf(LINE_END, end - 2) + 1;
    const line = readChainLine(tail.toString('utf8', start, isWhole ? end - 1 : end));
    if (line !== undefined) {
      return { head: { seq: line.seq, hash: line.hash }, torn: tail.length - end, isMidLine };
    }
    end = start;
  }
  const start = FIRST_BYTES.subarray(0, tail.length);
  const isOurs = tail.subarray(0, start.length).equals(start);
  if (size > 0 && !(isOurs && isMidLine && !tail.includes(LINE_END))) {
    throw new AuditFileError('holds something that is no audit log');
  }
  return { head: CHAIN_START, torn: size, isMidLine };
}

/**
 * Two that write one file would tear its chain. The lock belongs to the open file, which the program `flock` only
 * inherits: the kernel lets go of it when this process has ended, however it has.
 */
function lock(fd: number): boolean {
  const { error, status } = spawnSync('flock', ['-n', '-x', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    timeout: LOCK_LIMIT_MS,
  });
  if (error === undefined && status === 1) {
    throw new AuditFileError('is written by another scheduler that runs: each needs a file of its own');
  }
  return error === undefined && status === 0;
}
