// npm run test:race: the *.race.int.spec.ts again and again, each time with another seed, for a minute or --seconds N.
// A failure prints its seed; --seed N runs that one once.
import crypto from 'node:crypto';

import { bootstrap } from './lib/bootstrap.mjs';
import { readFlags } from './lib/flags.mjs';
import { jest } from './lib/jest.mjs';
import { chooseTestRedis } from './lib/test-redis.mjs';

const flags = readFlags('npm run test:race -- [flags]', {
  seconds: { default: 60, describe: 'for how long, 60 by default' },
  seed: { default: undefined, describe: 'this seed, once' },
});

await bootstrap();
const redis = await chooseTestRedis();
console.log(`Redis for the tests: ${redis.description}`);
const total = { passed: 0, failed: 0 };
const end = performance.now() + flags.seconds * 1_000;
let rounds = 0;
try {
  do {
    const seed = flags.seed ?? crypto.randomInt(1, 1_000_000_000);
    console.log(`round ${rounds + 1}, seed ${seed}`);
    const result = await jest(['--testPathPatterns=[./]race\\.int\\.spec\\.ts$', '--maxWorkers=2', '--silent'], {
      ...redis.env,
      ORCHESTRATOR_TEST_SEED: String(seed),
    });
    rounds += 1;
    total.passed += result.passed;
    total.failed += result.failed;
    if (!result.ok) {
      console.log(`failed with seed ${seed}; again: npm run test:race -- --seed ${seed}`);
    }
  } while (flags.seed === undefined && total.failed === 0 && performance.now() < end);
} finally {
  await redis.cleanUp();
}
console.log(`${rounds} rounds: ${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
