import assert from 'node:assert/strict';

import { docker } from './engine.mjs';

const BASE = 'node:22-bookworm-slim';
const MOST_ON_TOP_MB = 60;
const MB = 1_000_000;

/** What may be in no image: sources, types, tests' and builders' packages, npm's cache, what the other program loads. */
const FORBIDDEN = [
  'find /app -name "*.ts" -o -name "*.spec.js" -path "/app/libs/*" -o -name "*.tsbuildinfo" -o -path "*/libs/testing"',
  'ls -d /app/node_modules/jest /app/node_modules/nx /app/node_modules/typescript /app/node_modules/testcontainers',
  'find / -xdev ( -name _cacache -o -name .git -o -name .env -o -name .orchestrator ) -not -path "/proc/*"',
];
const FOREIGN = { 'orchestrator-scheduler': '/app/apps/worker', 'orchestrator-worker': '/app/node_modules/fastify' };

export const imageSteps = [
  {
    name: 'images are built',
    async run(project) {
      const { seconds } = await project.compose('build');
      return `${seconds.toFixed(0)} s`;
    },
  },
  {
    name: 'images are small, run as nobody special, and hold nothing that is not loaded',
    async run(project) {
      const base = await inspect(BASE);
      const said = [];
      for (const name of project.images) {
        const image = await inspect(name);
        const onTop = (image.Size - base.Size) / MB;
        said.push(
          `${name.split(':')[0]} ${megabytes(image)} MB (${onTop.toFixed(1)} on ${BASE}), user ${image.Config.User}`,
        );
        assert.ok(onTop < MOST_ON_TOP_MB, `${name} has ${onTop} MB on top of ${BASE}, more than ${MOST_ON_TOP_MB}`);
        assert.match(image.Config.User, /^[1-9]\d*:[1-9]\d*$/, 'the user must be a number other than 0');
        assert.equal(image.Config.Labels['org.opencontainers.image.licenses'], 'MIT');
        assert.equal(await findForbidden(name), '', `${name} holds what it should not`);
      }
      return said.join(' · ');
    },
  },
];

async function findForbidden(image) {
  const foreign = `ls -d ${FOREIGN[image.split(':')[0]]}`;
  const script = [...FORBIDDEN, foreign].map((line) => `${line.replace(/[()]/g, '\\$&')} 2>/dev/null`).join('; ');
  return docker('run', '--rm', '--network', 'none', '--entrypoint', 'sh', image, '-c', `${script}; true`);
}

const inspect = async (image) => JSON.parse(await docker('image', 'inspect', image))[0];
const megabytes = (image) => (image.Size / MB).toFixed(1);
