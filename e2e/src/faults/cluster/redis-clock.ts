import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, constants, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { redisServerProgram } from '@orchestrator/testing';

import { ROOT } from '../../harness/program.js';

const SOURCE = join(ROOT, 'e2e', 'src', 'faults', 'cluster', 'shifted-clock.c');
const BYTES = 8;
const PROGRAM = 'ORCHESTRATOR_REDIS_SERVER';

/**
 * The wall clock of redis-servers that are started from now on, until `release`. Needs a C compiler, and a redis-server
 * that is linked dynamically.
 */
export class RedisClock {
  readonly #file: string;
  readonly #before = process.env[PROGRAM];

  constructor(folder: string) {
    this.#file = join(folder, 'clock.redis');
    const library = join(folder, 'shifted-clock.so');
    const wrapper = join(folder, 'redis-server');
    this.set(0);
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl']);
    // `exec`: its process is the server's, as everybody who signals it expects.
    const variables = `LD_PRELOAD='${library}' FAULTS_CLOCK_FILE='${this.#file}'`;
    writeFileSync(wrapper, `#!/bin/sh\n${variables} exec ${redisServerProgram()} "$@"\n`);
    chmodSync(wrapper, 0o755);
    process.env[PROGRAM] = wrapper;
  }

  /** Off by so much, at once; 0 = right. */
  set(offsetMs: number): void {
    const bytes = Buffer.alloc(BYTES);
    bytes.writeBigInt64LE(BigInt(offsetMs) * 1_000n);
    // In place, without truncating: the server has mapped it.
    const handle = openSync(this.#file, constants.O_WRONLY | constants.O_CREAT);
    writeSync(handle, bytes, 0, BYTES, 0);
    closeSync(handle);
  }

  release(): void {
    if (this.#before === undefined) {
      delete process.env[PROGRAM];
    } else {
      process.env[PROGRAM] = this.#before;
    }
  }
}
