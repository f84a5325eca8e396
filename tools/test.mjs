// npm test: everything that can be checked, from a fresh clone. The last line is the total.
import { checkDocker } from '../e2e/docker/check.mjs';
import { bootstrap } from './lib/bootstrap.mjs';
import { buildAll } from './lib/build.mjs';
import { checks, generatedIsFresh } from './lib/checks.mjs';
import { jest } from './lib/jest.mjs';
import { chooseTestRedis } from './lib/test-redis.mjs';

await bootstrap();
const redis = await chooseTestRedis();
console.log(`Redis for the tests: ${redis.description}`);

const total = { passed: 0, failed: 0 };
let skipped = 0;
const failures = [];

async function step(name, work) {
  const since = performance.now();
  console.log(`\n── ${name}`);
  const { ok, passed, failed, skipped: why } = await work();
  skipped += why === undefined ? 0 : 1;
  total.passed += passed;
  total.failed += failed;
  if (!ok) {
    failures.push(name);
  }
  const seconds = ((performance.now() - since) / 1_000).toFixed(1);
  const outcome = why === undefined ? (ok ? 'passed' : 'FAILED') : 'SKIPPED';
  console.log(`── ${name}: ${outcome} (${passed} passed, ${failed} failed, ${seconds} s)`);
}

const asStep = (check) => async () => {
  const ok = await check.passes();
  return { ok, passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
};

try {
  for (const check of [generatedIsFresh, ...checks]) {
    await step(check.name, asStep(check));
  }
  await step('unit and integration tests', () => jest(['--maxWorkers=2'], redis.env));
  await step('build', asStep({ passes: async () => (await buildAll()).ok }));
  await step('end to end, with real processes', () => jest(['--config=e2e/jest.e2e.cjs', '--runInBand'], redis.env));
  await step('images and docker-compose.yml, in a Docker Engine', checkDocker);
} finally {
  await redis.cleanUp();
}
if (failures.length > 0) {
  console.log(`\nfailed: ${failures.join(' · ')}`);
}
console.log(
  `\n${skipped > 0 ? `${skipped} skipped, as said above\n` : ''}${total.passed} passed, ${total.failed} failed`,
);
process.exitCode = total.failed > 0 || failures.length > 0 ? 1 : 0;
