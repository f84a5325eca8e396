// node docker/make-secrets.mjs DIRECTORY [NAME ...]: the files of compose.secure.yml, with an authority of its own whose
// certificate is for `scheduler`, `localhost` and the names given. Prints the one token that there is, which no file holds.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

const [directory, ...names] = process.argv.slice(2);
const OUR_USER = 1000;
const REDIS_USER = 999;

if (directory === undefined || fs.existsSync(directory)) {
  console.error(
    directory ? `${directory} is there already` : 'usage: node docker/make-secrets.mjs DIRECTORY [NAME ...]',
  );
  process.exit(2);
}
fs.mkdirSync(directory, { recursive: true, mode: 0o700 });

const secret = () => randomBytes(32).toString('base64url');
const redisPassword = secret();
const token = `orc_${secret()}`;
const hash = createHash('sha256').update(token).digest('hex');

write('join-token', `${secret()}\n`);
write('redis-password', `${redisPassword}\n`);
write('tokens.yaml', `admin: admin:${hash}\n`);
const settings = {
  appendonly: 'yes',
  appendfsync: 'everysec',
  'auto-aof-rewrite-min-size': '256mb',
  save: '""',
  'maxmemory-policy': 'noeviction',
  dir: '/data',
};
const lines = Object.entries({ ...settings, requirepass: redisPassword }).map(([key, value]) => `${key} ${value}\n`);
write('redis.conf', lines.join(''), REDIS_USER);
makeCertificates();
console.log(`Token of the role admin, shown this once: ${token}`);

function makeCertificates() {
  const script = path.join(import.meta.dirname, 'local-ca', 'make-certificates.sh');
  const all = ['scheduler', 'localhost', '127.0.0.1', ...names].join(',');
  execFileSync(script, [directory, all], { stdio: ['ignore', 'ignore', 'inherit'] });
  ['ca.pem', 'scheduler.pem', 'scheduler.key'].forEach((name) => own(name, OUR_USER));
}

function write(name, text, user = OUR_USER) {
  fs.writeFileSync(at(name), text);
  own(name, user);
}

/**
 * A container sees a file as it is here, with its owner's number. Who cannot give it away leaves it readable for all, in
 * a directory into which nobody else comes.
 */
function own(name, user) {
  const mayGive = process.getuid() === 0;
  if (mayGive) {
    fs.chownSync(at(name), user, user);
  }
  fs.chmodSync(at(name), mayGive || process.getuid() === user ? 0o400 : 0o444);
}

function at(name) {
  return path.join(directory, name);
}
