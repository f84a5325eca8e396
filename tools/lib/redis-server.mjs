import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';

import { guard } from './guard.mjs';
import { freePort } from './ports.mjs';
import { isAlive } from './processes.mjs';
import { redisInfo } from './redis-info.mjs';
import { waitFor } from './wait.mjs';

/** Reading a large append-only file takes its time. */
const READY_WITHIN_MS = 120_000;
const STOPPED_WITHIN_MS = 15_000;

/**
 * Starts a server on the data in `directory`: append-only file, nothing evicted, a free loopback port. It ends with this
 * process, however that ends.
 */
export async function startServer({ program, directory }) {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const port = await freePort();
  const configuration = path.join(directory, 'redis.conf');
  fs.writeFileSync(configuration, settings({ directory, port }));
  const child = spawn(program, [configuration], { detached: true, stdio: 'ignore' });
  const failed = once(child, 'error').then(([error]) => error);
  if (child.pid === undefined) {
    throw new Error(`${program} cannot be started: ${(await failed).message}`);
  }
  guard.watch(child.pid, 'last');
  const ended = once(child, 'exit').then(([code, signal]) => {
    guard.forget(child.pid);
    return signal ?? code;
  });
  const answer = await Promise.race([
    ended.then(() => undefined),
    waitFor(() => isReady(port, child.pid), { withinMs: READY_WITHIN_MS }),
  ]);
  if (answer === undefined) {
    child.kill('SIGKILL');
    throw new Error(`${program} did not become ready; it says why in ${path.join(directory, 'redis.log')}`);
  }
  return { pid: child.pid, port, version: answer.redis_version, ended, stop: () => stopServer(child.pid) };
}

/** A server that somebody else started, and that we now end. */
export function adoptServer(pid) {
  guard.watch(pid, 'last');
  return { stop: () => stopServer(pid) };
}

/** SIGTERM: it writes the end of its append-only file, and goes. */
async function stopServer(pid) {
  signalIfAlive(pid, 'SIGTERM');
  if ((await waitFor(() => !isAlive({ pid }), { withinMs: STOPPED_WITHIN_MS, everyMs: 20 })) === undefined) {
    signalIfAlive(pid, 'SIGKILL');
  }
  guard.forget(pid);
}

function signalIfAlive(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone, which is what was wanted.
  }
}

async function isReady(port, pid) {
  const info = await redisInfo(port);
  return info !== undefined && Number(info.process_id) === pid && info.loading === '0' ? info : undefined;
}

function settings({ directory, port }) {
  return [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${JSON.stringify(directory)}`,
    `logfile ${JSON.stringify(path.join(directory, 'redis.log'))}`,
    'appendonly yes',
    'appendfsync everysec',
    'auto-aof-rewrite-min-size 256mb',
    'save ""',
    'maxmemory-policy noeviction',
    '',
  ].join('\n');
}
