// npm run bench:store: what one job costs in Redis, by call and by size of the batch (docs/benchmarks.md).
import path from 'node:path';

import { bootstrap } from './lib/bootstrap.mjs';
import { buildPrograms } from './lib/build.mjs';
import { requireRedisProgram } from './lib/redis.mjs';
import { root } from './lib/root.mjs';
import { run } from './lib/run.mjs';

await bootstrap();
await buildPrograms(['benchmarks/tsconfig.lib.json']);
const env = { ORCHESTRATOR_TEST_REDIS: 'local', ORCHESTRATOR_REDIS_SERVER: await requireRedisProgram() };
const main = path.join(root, 'benchmarks', 'dist', 'store', 'main.js');
const done = await run(process.execPath, [main, ...process.argv.slice(2)], { env });
process.exitCode = done.code;
