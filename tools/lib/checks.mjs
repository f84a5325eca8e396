import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { bin, root } from './root.mjs';
import { run } from './run.mjs';

/** What needs no running program, in the order of how soon it fails. Each resolves with whether it passed. */
export const checks = [
  { name: 'formatting (prettier)', passes: () => succeeds('prettier', ['--check', '--log-level=warn', '.']) },
  { name: 'types (tsc)', passes: types },
  { name: 'rules and layers (eslint)', passes: lint },
];

export const generatedIsFresh = { name: 'generated code is fresh (proto, lua)', passes: generated };

async function succeeds(program, args) {
  return (await run(bin(program), args)).ok;
}

/** Libraries, programs and all specs. `tsc -b` keeps what it knows in *.tsbuildinfo, so a second run is short. */
function types() {
  const projects = ['libs', 'apps']
    .flatMap((folder) => fs.readdirSync(path.join(root, folder)).map((name) => `${folder}/${name}`))
    .concat('e2e')
    .filter((folder) => fs.existsSync(path.join(root, folder, 'tsconfig.json')));
  return succeeds('tsc', ['-b', ...projects]);
}

/** The rule of the layers reads Nx' project graph from its cache: the first command puts it there. */
async function lint() {
  const graph = await run(bin('nx'), ['show', 'projects'], { capture: true });
  if (!graph.ok) {
    process.stderr.write(graph.output);
    return false;
  }
  return succeeds('eslint', ['--max-warnings=0', '--cache', '--cache-location=.nx/eslint/', '.']);
}

async function generated() {
  const before = fingerprints();
  await generate();
  const after = fingerprints();
  const stale = [...after].filter(([file, hash]) => before.get(file) !== hash).map(([file]) => file);
  for (const file of stale) {
    console.error(`${file} was not what its source gives: it is now; commit it`);
  }
  return stale.length === 0;
}

/** Writes what is generated: types of the protocol, Lua as strings. */
export async function generate() {
  const steps = [
    [process.execPath, ['libs/proto-types/generate.cjs']],
    [process.execPath, ['tools/generate-lua.mjs']],
  ];
  for (const [program, args] of steps) {
    const step = await run(program, args, { capture: true });
    if (!step.ok) {
      throw new Error(`${args[0]} failed with exit code ${step.code}:\n${step.output}`);
    }
  }
}

function fingerprints() {
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'libs'], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => /\/generated\/|\/lua\.ts$/.test(file) && fs.existsSync(path.join(root, file)));
  const hash = (file) =>
    crypto
      .createHash('sha256')
      .update(fs.readFileSync(path.join(root, file)))
      .digest('hex');
  return new Map(files.map((file) => [file, hash(file)]));
}
