import { hasImage } from '../../tools/lib/docker.mjs';
import { run } from '../../tools/lib/run.mjs';

const BASE_IMAGES = ['node:22-bookworm-slim', 'redis:7-bookworm'];

/** What is missing for this check on this machine, or undefined. */
export async function whatIsMissing() {
  if (!(await succeeds('docker', ['info']))) {
    return 'no Docker Engine';
  }
  if ((await findCompose()) === undefined) {
    return 'no docker-compose';
  }
  for (const image of BASE_IMAGES) {
    if (!(await hasImage(image))) {
      return `the image ${image} is not here and cannot be pulled`;
    }
  }
  return (await canInstall())
    ? undefined
    : 'containers reach no npm registry or no Debian mirror, which the build needs';
}

function canInstall() {
  const script = 'npm view typescript version && apt-get update -qq';
  return succeeds('timeout', ['60', 'docker', 'run', '--rm', BASE_IMAGES[0], 'sh', '-c', script]);
}

/** The plugin where it is, else the program of its own: the command with its first arguments. */
export async function findCompose() {
  const candidates = [['docker', 'compose'], ['docker-compose']];
  for (const [program, ...args] of candidates) {
    if (await succeeds(program, [...args, 'version'])) {
      return [program, ...args];
    }
  }
  return undefined;
}

/** Its standard output. Rejects when it fails, with all that it said. */
export async function docker(...args) {
  const done = await run('docker', args, { capture: true });
  if (!done.ok) {
    throw new Error(`docker ${args.join(' ')} failed with exit code ${done.code}:\n${done.output}`);
  }
  return done.output.trim();
}

const succeeds = (program, args) =>
  run(program, args, { capture: true }).then(
    ({ ok }) => ok,
    () => false,
  );
