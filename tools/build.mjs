// npm run build: every library and both programs, into their dist/.
import { bootstrap } from './lib/bootstrap.mjs';
import { bin } from './lib/root.mjs';
import { run } from './lib/run.mjs';

await bootstrap();
process.exitCode = (await run(bin('nx'), ['run-many', '-t', 'build', ...process.argv.slice(2)])).code;
