// npm run fmt: prettier and the rules that eslint can mend by itself.
import { bootstrap } from './lib/bootstrap.mjs';
import { bin } from './lib/root.mjs';
import { run } from './lib/run.mjs';

await bootstrap();
const mended = await run(bin('eslint'), ['--fix', '.']);
const formatted = await run(bin('prettier'), ['--write', '--log-level=warn', '.']);
process.exitCode = mended.code || formatted.code;
