import { execFile, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

import { ROOT } from '../../harness/program.js';

const execute = promisify(execFile);

const SCOPE = '@orchestrator';
const PROGRAMS = ['scheduler', 'worker'];
const BUILD_LIMIT_MS = 300_000;

/** What the builds of earlier commits lie in; ignored by git. */
const FOLDER = join(ROOT, '.orchestrator', 'previous');

/** The commit that today's programs must get along with: `e2e/src/upgrades/previous.json`. */
export function previousCommit(): string {
  const text = readFileSync(join(ROOT, 'e2e', 'src', 'upgrades', 'previous.json'), 'utf8');
  return (JSON.parse(text) as { commit: string }).commit;
}

/** Whether this checkout's history has it: a shallow clone or a tarball has not. */
export function hasPreviousCommit(): boolean {
  const commit = previousCommit();
  const git = spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: ROOT, stdio: 'ignore' });
  return git.status === 0 || existsSync(join(FOLDER, commit));
}

/**
 * Builds that commit, once: its own sources and libraries on today's third-party packages. Answers the folder, which is
 * laid out as a checkout: `apps/scheduler/dist/main.js`.
 */
export async function previousBuild(): Promise<string> {
  const commit = previousCommit();
  const folder = join(FOLDER, commit);
  if (existsSync(folder)) {
    return folder;
  }
  // Beside it, then renamed: what is there is complete, also where two runs build it at the same time.
  const growing = `${folder}.${process.pid}`;
  rmSync(growing, { recursive: true, force: true });
  mkdirSync(growing, { recursive: true });
  try {
    const archive = join(growing, 'sources.tar');
    const parts = ['apps', 'libs', 'proto', 'package.json', 'tsconfig.base.json'];
    await execute('git', ['archive', '--output', archive, commit, ...parts], { cwd: ROOT });
    await execute('tar', ['-xf', archive, '-C', growing]);
    rmSync(archive);
    linkPackages(growing);
    PROGRAMS.forEach((app) => nameVersion(join(growing, 'apps', app, 'package.json')));
    const projects = PROGRAMS.map((app) => join('apps', app, 'tsconfig.lib.json'));
    const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    await execute(process.execPath, [compiler, '-b', ...projects], { cwd: growing, timeout: BUILD_LIMIT_MS });
    renameSync(growing, folder);
  } catch (error) {
    if (existsSync(folder)) {
      return folder;
    }
    const words = (error as { stdout?: string }).stdout ?? '';
    throw new Error(`${commit} could not be built:\n${words}`, { cause: error });
  } finally {
    rmSync(growing, { recursive: true, force: true });
  }
  return folder;
}

/** A node_modules of links: third-party packages are those of the checkout, our own those of the earlier commit. */
function linkPackages(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, SCOPE), { recursive: true });
  const link = (target: string, at: string): void => symlinkSync(relative(join(at, '..'), target), at);
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.') && name !== SCOPE) {
      link(join(ROOT, 'node_modules', name), join(modules, name));
    }
  }
  for (const group of ['libs', 'apps']) {
    for (const project of readdirSync(join(folder, group))) {
      link(join(folder, group, project), join(modules, SCOPE, project));
      const own = join(ROOT, group, project, 'node_modules');
      if (existsSync(own)) {
        link(own, join(folder, group, project, 'node_modules'));
      }
    }
  }
}

/** So that the API and logs tell the two apart, also where no release lies between them. */
function nameVersion(file: string): void {
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  writeFileSync(file, JSON.stringify({ ...manifest, version: `${manifest.version}-previous` }, null, 2));
}
