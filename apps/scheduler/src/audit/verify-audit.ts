import { createReadStream } from 'node:fs';

import { ConfigError } from '@orchestrator/config';

import { CHAIN_START, type ChainLine, NO_HASH, readChainLine } from './audit-chain.js';

export const VERIFY_AUDIT = {
  flag: '--verify-audit',
  value: 'FILE',
  doc: 'check the chain of an audit log (audit.file) and exit: 0 it is whole, 1 it is not',
};

export interface AuditVerdict {
  isWhole: boolean;
  /** Lines for whoever asked. */
  text: string;
}

const LINE_END = 0x0a;

/** What `--verify-audit FILE` does: answers the exit code. @throws {ConfigError} when the file cannot be read. */
export async function answerVerifyAudit(path: string, stdout: { write(text: string): unknown }): Promise<number> {
  try {
    const { isWhole, text } = await verifyAudit(path);
    stdout.write(text);
    return isWhole ? 0 : 1;
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const rule = code === 'ENOENT' ? 'there is no such file' : `cannot be read: ${code}`;
    throw new ConfigError([{ key: VERIFY_AUDIT.flag, value: JSON.stringify(path), rule }]);
  }
}

/** Checks each line: that it says what it said, and that it follows the one before it. Rejects when it cannot be read. */
export async function verifyAudit(path: string): Promise<AuditVerdict> {
  const chain = new ChainCheck();
  for await (const { bytes, isWhole } of linesOf(path)) {
    chain.take(bytes, isWhole);
    if (chain.problem !== undefined) {
      break;
    }
  }
  return chain.verdict(path);
}

class ChainCheck {
  problem: string | undefined;
  #number = 0;
  #checked = 0;
  #first: ChainLine | undefined;
  #last: ChainLine | undefined;
  #lost = 0;
  #torn: { line: number; bytes: number } | undefined;
  #isMidLine = false;
  readonly #tears: string[] = [];

  take(bytes: Buffer, isWhole: boolean): void {
    this.#number += 1;
    const line = readChainLine(bytes.toString('utf8'));
    if (line === undefined) {
      this.#torn ??= { line: this.#number, bytes: 0 };
      this.#torn.bytes += bytes.length + (isWhole ? 1 : 0);
      this.#isMidLine = !isWhole;
      return;
    }
    this.#follow(line);
    this.#checked += 1;
    this.#first ??= line;
    this.#last = line;
    this.#torn = undefined;
    if (line.said['note'] === 'lost') {
      this.#lost += Number(line.said['entries']);
    }
  }

  verdict(path: string): AuditVerdict {
    // A crash leaves the beginning of a line, and nothing after it, until a scheduler goes on.
    if (this.#torn !== undefined && !(this.#isMidLine && this.#torn.line === this.#number)) {
      this.#breaks(this.#torn.line, 'it was changed, or is no line of an audit log');
    }
    if (this.problem !== undefined) {
      return { isWhole: false, text: `${path}: ${this.#checked} lines checked\n${this.problem}\n` };
    }
    if (this.#last === undefined && this.#torn === undefined) {
      return { isWhole: false, text: `${path}: holds no line: expected at least the first one of a chain\n` };
    }
    const [first, last] = [this.#first, this.#last];
    const notes = [
      ...(first === undefined ? [] : [`numbers ${first.seq} to ${last?.seq}, last hash ${last?.hash}`]),
      ...(first === undefined || first.seq === 1 ? [] : [`it goes on from a file that ends with hash ${first.prev}`]),
      ...this.#tears,
      ...(this.#torn === undefined ? [] : [`line ${this.#torn.line} is torn, as a crash leaves it, and the last one`]),
      ...(this.#lost === 0 ? [] : [`${this.#lost} entries were lost, as the chain itself says`]),
    ];
    return {
      isWhole: true,
      text: [`${path}: ${this.#checked} lines checked, the chain is whole`, ...notes, ''].join('\n'),
    };
  }

  #follow(line: ChainLine): void {
    const torn = this.#torn;
    if (torn !== undefined && !(line.said['note'] === 'torn' && line.said['bytes'] === torn.bytes)) {
      return this.#breaks(torn.line, 'it was changed, or is no line of an audit log');
    }
    const before = this.#last ?? (line.seq === 1 || torn !== undefined ? CHAIN_START : undefined);
    if (before === undefined) {
      return; // the first line of a file that goes on from another one
    }
    if (line.seq !== before.seq + 1 || line.prev !== before.hash) {
      const expected = before.hash === NO_HASH ? 'the first' : `number ${before.seq + 1}`;
      return this.#breaks(this.#number, `it is number ${line.seq} and does not follow: expected ${expected}`);
    }
    if (torn !== undefined) {
      this.#tears.push(`line ${torn.line} was torn by a crash, as the chain itself says`);
    }
  }

  #breaks(number: number, why: string): void {
    this.problem ??= `line ${number} is broken: ${why}`;
  }
}

async function* linesOf(path: string): AsyncGenerator<{ bytes: Buffer; isWhole: boolean }> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(LINE_END); end >= 0; end = rest.indexOf(LINE_END, start)) {
      yield { bytes: rest.subarray(start, end), isWhole: true };
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
  if (rest.length > 0) {
    yield { bytes: rest, isWhole: false };
  }
}
