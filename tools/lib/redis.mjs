import path from 'node:path';

import { guard } from './guard.mjs';
import { identify, isAlive } from './processes.mjs';
import { redisInfo } from './redis-info.mjs';
import { breakLock, createLock, lockFile, readLock, removeLock, updateLock } from './redis-lock.mjs';
import { findRedisProgram, REMEDIES } from './redis-program.mjs';
import { adoptServer, startServer } from './redis-server.mjs';
import { stateDirectory } from './root.mjs';
import { sleep } from './wait.mjs';

/** How long the guard of a killed run may need to end what that run left, and a starting one to get ready. */
const OTHERS_MAY_NEED_MS = 150_000;

/**
 * The Redis to use, in the order of the README: ORCHESTRATOR_REDIS_URL, else one of our own on the data in
 * .orchestrator/, which may be running already. `stop` ends exactly what this call started or took over.
 * @returns {Promise<{url: string, description: string, stop: () => Promise<void>, ended?: Promise<unknown>}>}
 */
export async function obtainRedis(kind) {
  const given = process.env.ORCHESTRATOR_REDIS_URL;
  if (given) {
    return { url: given, description: 'ORCHESTRATOR_REDIS_URL', stop: async () => undefined };
  }
  const program = await requireRedisProgram();
  const owner = identify(process.pid);
  for (const end = performance.now() + OTHERS_MAY_NEED_MS; performance.now() < end; await sleep(200)) {
    if (createLock({ owner, kind })) {
      return launch({ owner, kind, program });
    }
    const found = await inspect(readLock());
    if (found.use === 'guest') {
      return guest(found.lock, kind);
    }
    if (
      found.use === 'orphan' &&
      breakLock() &&
      createLock({ ...found.lock, owner, kind, guard: identify(guard.pid) })
    ) {
      return adopt(found.lock);
    }
    if (found.use === 'nothing') {
      breakLock();
    }
  }
  const lock = readLock();
  console.error(
    `${lockFile} belongs to pid ${lock?.owner?.pid}, which runs, but whose Redis does not answer: end it first`,
  );
  process.exit(1);
}

/** The program, or the end with exit code 2 and what to do about it. */
export async function requireRedisProgram() {
  const program = await findRedisProgram();
  if (program === undefined) {
    console.error(REMEDIES);
    process.exit(2);
  }
  return program;
}

async function launch({ owner, kind, program }) {
  try {
    const server = await startServer({ program, directory: path.join(stateDirectory, 'redis') });
    updateLock({ owner, kind, guard: identify(guard.pid), server: identify(server.pid), port: server.port });
    return {
      url: `redis://127.0.0.1:${server.port}`,
      description: `redis-server ${server.version} of our own (pid ${server.pid}), data in .orchestrator/redis`,
      ended: server.ended,
      stop: () => server.stop().finally(removeLock),
    };
  } catch (error) {
    removeLock();
    throw error;
  }
}

function adopt(lock) {
  const server = adoptServer(lock.server.pid);
  return {
    url: `redis://127.0.0.1:${lock.port}`,
    description: `the redis-server that an earlier run left behind (pid ${lock.server.pid})`,
    stop: () => server.stop().finally(removeLock),
  };
}

/** Two whole systems on one set of data would fight for the names of the workers. */
function guest(lock, kind) {
  if (kind === 'npm start' && lock.kind === kind) {
    console.error(
      `npm start runs here already (pid ${lock.owner.pid}): end that one first, with Ctrl-C or kill ${lock.owner.pid}`,
    );
    process.exit(1);
  }
  return {
    url: `redis://127.0.0.1:${lock.port}`,
    description: `the redis-server of ${lock.kind} (pid ${lock.owner.pid}); it ends when that does`,
    stop: async () => undefined,
  };
}

/** Who holds the lock, and whether its server answers. `wait`: somebody is starting it, or clearing up. */
async function inspect(lock) {
  if (lock === undefined) {
    return { use: 'wait' };
  }
  const info = lock.port === undefined ? undefined : await redisInfo(lock.port);
  const answers = info !== undefined && Number(info.process_id) === lock.server?.pid;
  if (isAlive(lock.owner)) {
    return { use: answers ? 'guest' : 'wait', lock };
  }
  if (isAlive(lock.guard)) {
    return { use: 'wait', lock };
  }
  if (answers) {
    return { use: 'orphan', lock };
  }
  return { use: isAlive(lock.server) ? 'wait' : 'nothing', lock };
}
