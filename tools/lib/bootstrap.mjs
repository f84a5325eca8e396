import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { root } from './root.mjs';
import { run } from './run.mjs';

const LEAST_NODE = [20, 20];
const marker = path.join(root, 'node_modules', '.lock-hash');

/** Installs the packages of the lock file when those installed are not they. Needs nothing but Node and npm. */
export async function bootstrap() {
  requireNode();
  const wanted = crypto
    .createHash('sha256')
    .update(fs.readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
  if (fs.existsSync(marker) && fs.readFileSync(marker, 'utf8').trim() === wanted) {
    return;
  }
  console.log('installing packages (npm ci) …');
  const npm = await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { env: cleanNpmEnvironment() });
  if (!npm.ok) {
    console.error(`npm ci failed with exit code ${npm.code}; its own words are above`);
    process.exit(1);
  }
  fs.writeFileSync(marker, `${wanted}\n`);
}

/** `npm start -- --workers 5` sets npm_config_* for itself; an inner npm must not read them. */
function cleanNpmEnvironment() {
  const names = Object.keys(process.env).filter((name) =>
    /^npm_(config_(local_prefix|prefix)|package_|lifecycle_)/.test(name),
  );
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
    console.error(`Node ${process.versions.node} is too old: ${LEAST_NODE.join('.')} or newer is needed`);
    process.exit(2);
  }
}
