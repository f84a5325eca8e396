import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';

import { root } from '../../tools/lib/root.mjs';
import { waitFor } from '../../tools/lib/wait.mjs';
import { docker } from './engine.mjs';

const DONE_WITHIN_MS = 60_000;

/** What could tell: environment, arguments, logs; and what a command sees of its worker's environment. */
async function whatIsTold(project) {
  const containers = (await Promise.all(['redis', 'scheduler', 'worker'].map((it) => project.containers(it)))).flat();
  const inspected = await docker('inspect', ...containers);
  const processes = await Promise.all(containers.map((id) => docker('top', id, '-eo', 'pid,args')));
  const { output } = await project.compose('logs', '--no-color');
  return [inspected, ...processes, output].join('\n');
}

export const secureSteps = [
  {
    name: 'compose.secure.yml: TLS, tokens, join token and password of Redis by files',
    async run(project) {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'orchestrator-secrets-'));
      const secrets = path.join(folder, 'secrets');
      try {
        const said = execFileSync(process.execPath, [path.join(root, 'docker', 'make-secrets.mjs'), secrets], {
          encoding: 'utf8',
        });
        const token = /orc_\S+/.exec(said)[0];
        const read = (name) => fs.readFileSync(path.join(secrets, name), 'utf8').trim();
        project.files = ['docker-compose.yml', 'docker/compose.secure.yml'];
        project.environment.SECRETS = secrets;
        await project.compose('up', '--detach', '--no-build', '--scale', 'worker=2');

        const ask = (method, where, { as, body } = {}) =>
          request(project.port, read('ca.pem'), method, where, as, body);
        const refused = [await ask('GET', '/api/v1/jobs'), await ask('GET', '/api/v1/jobs', { as: 'orc_wrong' })];
        assert.deepEqual(
          refused.map(({ status }) => status),
          [401, 401],
        );
        await assert.rejects(fetch(`${project.url}/healthz`), 'what is not encrypted must not be answered');

        const command = 'env; echo done';
        const { status, json } = await ask('POST', '/api/v1/jobs', { as: token, body: { name: 'secure', command } });
        assert.equal(status, 201);
        const isDone = async () =>
          (await ask('GET', `/api/v1/jobs/${json.id}`, { as: token })).json.state === 'succeeded';
        assert.ok(await waitFor(isDone, { withinMs: DONE_WITHIN_MS }), 'the job did not succeed');
        const { text: output } = await ask('GET', `/api/v1/jobs/${json.id}/logs`, { as: token });

        const told = `${await whatIsTold(project)}\n${output}`;
        for (const secret of [token, read('join-token'), read('redis-password')]) {
          assert.ok(!told.includes(secret), 'a secret can be read in an environment, arguments or logs');
        }
        await project.compose('down', '--volumes');
        assert.deepEqual(await project.remains(), []);
        return 'a job ran; without the token 401; no secret in environments, arguments and logs';
      } finally {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    },
  },
];

function request(port, ca, method, where, as, body) {
  const headers = { ...(body && { 'content-type': 'application/json' }), ...(as && { authorization: `Bearer ${as}` }) };
  return new Promise((resolve, reject) => {
    const asked = https.request({ host: 'localhost', port, path: where, method, ca, headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => {
        const isJson = response.headers['content-type']?.includes('json');
        resolve({ status: response.statusCode, text, json: isJson ? JSON.parse(text) : undefined });
      });
    });
    asked.on('error', reject);
    asked.end(body && JSON.stringify(body));
  });
}
