// npm run lint: formatting, types, rules and layers. Ends with 1 when one of them does not hold.
import { bootstrap } from './lib/bootstrap.mjs';
import { checks } from './lib/checks.mjs';

await bootstrap();
for (const check of checks) {
  console.log(`${check.name} …`);
  if (!(await check.passes())) {
    process.exitCode = 1;
  }
}
