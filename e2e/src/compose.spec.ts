import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ROOT } from './harness/program.js';

/** What `redis-server` is given in docker-compose.yml, as lines of a redis.conf. */
function settingsOfCompose(): string[] {
  const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  const [, block = ''] = /- redis-server\n([^]*?)\n {4}\w/.exec(text) ?? [];
  const words = [...block.matchAll(/^ +- (.*)$/gm)].map(([, word = '']) => word.replace(/^'(.*)'$/, '$1'));
  return words.flatMap((word, index) =>
    word.startsWith('--') ? [`${word.slice(2)} ${words[index + 1] || '""'}`] : [],
  );
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

describe('docker/compose.secure.yml', () => {
  // Its redis.conf stands in the place of all arguments.
  (hasOpenssl ? it : it.skip)('has a Redis with every setting that docker-compose.yml gives it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-e2e-compose-'));
    try {
      const secrets = join(folder, 'secrets');
      const made = spawnSync(process.execPath, [join(ROOT, 'docker', 'make-secrets.mjs'), secrets], {
        encoding: 'utf8',
      });
      expect({ status: made.status, stderr: made.stderr }).toMatchObject({ status: 0 });
      const lines = readFileSync(join(secrets, 'redis.conf'), 'utf8').trim().split('\n');

      const settings = settingsOfCompose();
      expect(settings).toEqual(expect.arrayContaining(['appendonly yes', 'maxmemory-policy noeviction', 'save ""']));
      expect(lines).toEqual(expect.arrayContaining(settings));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
