// npm run faults: every scenario of the fault suite (docs/faults.md), on real processes. `-- --help` says the flags.
import path from 'node:path';

import { bootstrap } from './lib/bootstrap.mjs';
import { buildPrograms } from './lib/build.mjs';
import { root } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { chooseTestRedis } from './lib/test-redis.mjs';

await bootstrap();
await buildPrograms(['e2e/tsconfig.lib.json']);
const redis = await chooseTestRedis();
console.log(`Redis for the scenarios: ${redis.description}`);
try {
  const main = path.join(root, 'e2e', 'dist', 'faults', 'main.js');
  const done = await run(process.execPath, [main, ...process.argv.slice(2)], { env: redis.env });
  process.exitCode = done.code;
} finally {
  await redis.cleanUp();
}
