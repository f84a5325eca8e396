// npm run bench: the product beside its peers, on real processes (docs/benchmarks.md). `-- --help` says the flags.
import path from 'node:path';

import { bootstrap } from './lib/bootstrap.mjs';
import { buildPrograms } from './lib/build.mjs';
import { requireRedisProgram } from './lib/redis.mjs';
import { root } from './lib/root.mjs';
import { run } from './lib/run.mjs';

await bootstrap();
await buildPrograms(['benchmarks/tsconfig.lib.json']);
// A process, not a container: what is measured must not go through a virtual network.
const env = { ORCHESTRATOR_TEST_REDIS: 'local', ORCHESTRATOR_REDIS_SERVER: await requireRedisProgram() };
const main = path.join(root, 'benchmarks', 'dist', 'main.js');
const done = await run(process.execPath, [main, ...process.argv.slice(2)], { env });
process.exitCode = done.code;
