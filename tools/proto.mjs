// npm run proto: writes libs/proto-types/src/generated from proto/, and the lua.ts of each library from its scripts.
import { bootstrap } from './lib/bootstrap.mjs';
import { generate } from './lib/checks.mjs';

await bootstrap();
await generate();
