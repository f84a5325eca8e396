import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem, version } from 'node:os';

import { ROOT } from '@orchestrator/e2e';

import { versionOf } from './commands.js';
import { versionOfPackage } from './package-version.js';

/** Where and of what a result is: no number means anything without it. */
export interface Machine {
  date: string;
  commit: string;
  /** The tree had changes that are in no commit. */
  dirty: boolean;
  cpu: string;
  cores: number;
  memoryGib: number;
  kernel: string;
  node: string;
  redis: string;
  peers: Readonly<Record<string, string>>;
  /** Over the last minute, before the first round: what others did on this machine. */
  loadBefore: number;
}

export function describeMachine(redisVersion: string): Machine {
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', '--short', 'HEAD'),
    dirty: git('status', '--porcelain', '--untracked-files=no') !== '',
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    kernel: `${release()} (${version()})`,
    node: process.version,
    redis: redisVersion,
    peers: {
      bullmq: versionOfPackage('bullmq'),
      'bee-queue': versionOfPackage('bee-queue'),
      ioredis: versionOfPackage('ioredis'),
      fastify: versionOfPackage('fastify'),
      xargs: versionOf('xargs') ?? 'not installed',
      parallel: versionOf('parallel') ?? 'not installed',
    },
    loadBefore: loadavg()[0] ?? 0,
  };
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
