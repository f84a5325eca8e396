// npm run build: every library and both programs, into their dist/.
import { bootstrap } from './lib/bootstrap.mjs';
import { buildAll } from './lib/build.mjs';

await bootstrap();
process.exitCode = (await buildAll(process.argv.slice(2))).code;
