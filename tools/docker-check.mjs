// npm run docker:check: the images and the compose file, where a Docker Engine is. docs/docker.md
import { checkDocker } from '../e2e/docker/check.mjs';

const { failed, passed, skipped } = await checkDocker();
console.log(`\n${passed} passed, ${failed} failed${skipped ? ', 1 skipped' : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
