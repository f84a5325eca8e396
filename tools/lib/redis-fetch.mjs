import fs from 'node:fs';
import path from 'node:path';

import { stateDirectory } from './root.mjs';
import { run } from './run.mjs';

const home = path.join(stateDirectory, 'redis-package');

export const fetchedProgram = path.join(home, 'redis-server');

/**
 * Unpacks the distribution's own redis-server and those of its libraries that are not installed under .orchestrator/.
 * No root, nothing system-wide. Resolves with why not, or `undefined` when it is there.
 */
export async function fetchRedis() {
  if (!(await has('apt-get')) || !(await has('dpkg'))) {
    return 'this is neither Debian nor Ubuntu (no apt-get)';
  }
  console.log('fetching redis-server from the distribution, for .orchestrator/ only …');
  const packages = await packagesToFetch();
  if (packages === undefined) {
    return 'apt knows no package redis-server (as root: apt-get update)';
  }
  const work = `${home}.${process.pid}`;
  fs.mkdirSync(work, { recursive: true });
  try {
    const download = await quietly('apt-get', ['-qq', 'download', ...packages], work);
    if (!download.ok) {
      return `apt-get download failed:\n${download.output}`;
    }
    for (const file of fs.readdirSync(work).filter((name) => name.endsWith('.deb'))) {
      await quietly('dpkg', ['-x', file, '.'], work);
      fs.rmSync(path.join(work, file));
    }
    writeWrapper(work);
    fs.rmSync(home, { recursive: true, force: true });
    fs.renameSync(work, home);
    return undefined;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

async function packagesToFetch() {
  const listed = await dependencies();
  if (listed !== undefined || process.getuid?.() !== 0) {
    return listed;
  }
  await quietly('apt-get', ['-qq', 'update']);
  return dependencies();
}

/** redis-server is a link into redis-tools, so both are needed, and what they need and this machine lacks. */
async function dependencies() {
  const tree = await quietly('apt-cache', [
    ...['depends', '--recurse', '--no-recommends', '--no-suggests', '--no-conflicts', '--no-breaks', '--no-replaces'],
    ...['--no-enhances', 'redis-server', 'redis-tools'],
  ]);
  const names = [...new Set(tree.output.split('\n').filter((line) => /^(lib|lua|redis-)[\w.+-]*$/.test(line)))];
  if (!tree.ok || !names.includes('redis-server')) {
    return undefined;
  }
  const known = await quietly('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n']);
  const installed = new Set(
    known.output.split('\n').flatMap((line) => (/ installed$/.test(line) ? [line.split(' ')[0]] : [])),
  );
  return names.filter((name) =>
    name.startsWith('redis-') ? ['redis-server', 'redis-tools'].includes(name) : !installed.has(name),
  );
}

/** The libraries beside it are found through LD_LIBRARY_PATH, set for this program alone. */
function writeWrapper(folder) {
  const libraries = ['usr/lib', 'lib'].flatMap((parent) =>
    fs.existsSync(path.join(folder, parent))
      ? fs
          .readdirSync(path.join(folder, parent))
          .filter((name) => name.endsWith('-linux-gnu'))
          .map((name) => `$here/${parent}/${name}`)
      : [],
  );
  const text = [
    '#!/bin/sh',
    'here=$(cd "$(dirname "$0")" && pwd)',
    `LD_LIBRARY_PATH=${libraries.join(':')}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`,
    'export LD_LIBRARY_PATH',
    'exec "$here/usr/bin/redis-server" "$@"',
    '',
  ].join('\n');
  fs.writeFileSync(path.join(folder, 'redis-server'), text, { mode: 0o755 });
}

const quietly = (program, args, cwd) => run(program, args, { cwd, capture: true });

async function has(program) {
  return run(program, ['--version'], { capture: true }).then(
    (done) => done.ok,
    () => false,
  );
}
