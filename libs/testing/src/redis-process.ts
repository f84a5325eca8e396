import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type RedisServer, type RedisServerParams } from './redis-server.js';

/** The server's program: what `npm test` found or fetched, else the one on the PATH. */
export function redisServerProgram(): string {
  return process.env['ORCHESTRATOR_REDIS_SERVER'] ?? 'redis-server';
}

/** A redis-server of this process, with a folder of its own. It ends with this process, also when that is killed. */
export async function startRedisProcess({ port, args, file }: RedisServerParams): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'orchestrator-redis-'));
  const path = join(directory, 'redis.conf');
  if (file !== undefined) {
    writeFileSync(path, file);
  }
  const own = file === undefined ? [] : [path];
  let child: ChildProcess;
  let guard: ChildProcess;

  const launch = async (): Promise<void> => {
    const all = [...own, '--port', String(port), '--bind', '127.0.0.1', '--dir', directory, ...args];
    child = spawn(redisServerProgram(), all, { stdio: 'ignore' });
    if (child.pid === undefined) {
      const [error] = (await once(child, 'error')) as [Error];
      throw new Error(`${redisServerProgram()} cannot be started: ${error.message}`);
    }
    guard = startGuard(child.pid);
    child.once('exit', () => guard.kill('SIGKILL'));
  };

  await launch();
  return {
    async signal(name) {
      const ended = name === 'SIGKILL' || name === 'SIGTERM' ? once(child, 'exit') : undefined;
      child.kill(name);
      await ended;
    },
    restart: launch,
    async remove() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A shell in a session of its own that reads a pipe whose only writer is this process. */
function startGuard(pid: number): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', 'read line; kill -KILL "$0"', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.unref();
  return guard;
}
