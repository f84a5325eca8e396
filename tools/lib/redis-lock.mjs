import fs from 'node:fs';
import path from 'node:path';

import { stateDirectory } from './root.mjs';

/**
 * `.orchestrator/redis.lock` says who may run a server on the data beside it: {owner, guard, server, port, kind}. It is
 * made exclusively, and taken from a dead owner by renaming it, which only one of several can do.
 */
export const lockFile = path.join(stateDirectory, 'redis.lock');

/** Makes it; false when there is one. */
export function createLock(content) {
  fs.mkdirSync(stateDirectory, { recursive: true });
  const draft = `${lockFile}.${process.pid}`;
  fs.writeFileSync(draft, JSON.stringify(content));
  try {
    fs.linkSync(draft, lockFile);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') {
      return false;
    }
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

/** What it says, or `undefined` when there is none. */
export function readLock() {
  try {
    return JSON.parse(fs.readFileSync(lockFile, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') {
      return undefined;
    }
    throw new Error(
      `${lockFile} cannot be read (${error.message}): remove it when no redis-server runs on ${stateDirectory}`,
    );
  }
}

/** Its owner changes it as a whole. */
export function updateLock(content) {
  const draft = `${lockFile}.${process.pid}`;
  fs.writeFileSync(draft, JSON.stringify(content));
  fs.renameSync(draft, lockFile);
}

/** Removes the lock of a dead owner; false when somebody else was quicker. */
export function breakLock() {
  const mine = `${lockFile}.${process.pid}.broken`;
  try {
    fs.renameSync(lockFile, mine);
  } catch (error) {
    if (error.code === 'ENOENT') {
      return false;
    }
    throw error;
  }
  fs.rmSync(mine);
  return true;
}

export function removeLock() {
  fs.rmSync(lockFile, { force: true });
}
