import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { fetchRedis, fetchedProgram } from './redis-fetch.mjs';

const LEAST_MAJOR = 7;

export const REMEDIES = `No Redis ${LEAST_MAJOR} or newer was found, and none could be fetched. One of these helps:
  1. install one:        apt-get install redis-server   (brew install redis, dnf install valkey, …)
  2. use one that runs:  ORCHESTRATOR_REDIS_URL=redis://host:6379 npm start
  3. run one in Docker:  docker run -d -p 127.0.0.1:6379:6379 redis:7
                         ORCHESTRATOR_REDIS_URL=redis://127.0.0.1:6379 npm start`;

/**
 * The server program to run: the one on the PATH, else a private copy of the distribution's own package. Answers
 * `undefined` where there is none (then REMEDIES says what to do).
 */
export async function findRedisProgram() {
  return [...onPath('redis-server'), ...onPath('valkey-server')].find(isNewEnough) ?? (await fetched());
}

async function fetched() {
  if (fs.existsSync(fetchedProgram)) {
    return fetchedProgram;
  }
  const reason = await fetchRedis();
  if (reason !== undefined) {
    console.error(`no Redis could be fetched: ${reason}`);
    return undefined;
  }
  return isNewEnough(fetchedProgram) ? fetchedProgram : undefined;
}

function onPath(name) {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => path.join(folder, name))
    .filter((file) => fs.existsSync(file));
}

/** "Redis server v=7.0.15 sha=…" or "Valkey server v=8.0.1 …". */
function isNewEnough(program) {
  try {
    const text = execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const version = /v=(\d+)\.\S+/.exec(text);
    if (version !== null && Number(version[1]) >= LEAST_MAJOR) {
      return true;
    }
    console.error(`${program} is too old for us: ${text.trim()}`);
  } catch (error) {
    console.error(`${program} cannot be run: ${error.message}`);
  }
  return false;
}
