import { run } from './run.mjs';

/** The image that libs/testing/src/redis-container.ts starts. */
const REDIS_IMAGE = 'redis:7-bookworm';
const PULL_WITHIN_S = '120';

/** True where a Docker Engine answers and has the image, or can get it. */
export async function hasDockerRedis() {
  return (await docker('info')) && (await hasImage(REDIS_IMAGE));
}

/** True where the engine has it, or can get it. */
export async function hasImage(image) {
  return (await docker('image', 'inspect', image)) || (await pulled(image));
}

/** Removes what a run left, were it cut short. */
export async function removeContainers(label) {
  const list = await run('docker', ['ps', '--all', '--quiet', '--filter', `label=${label}`], { capture: true });
  const ids = list.output.split(/\s+/).filter((id) => /^[0-9a-f]{12,}$/.test(id));
  if (ids.length > 0) {
    await docker('rm', '--force', '--volumes', ...ids);
  }
}

const pulled = (image) => succeeds('timeout', [PULL_WITHIN_S, 'docker', 'pull', '--quiet', image]);
const docker = (...args) => succeeds('docker', args);
const succeeds = (program, args) =>
  run(program, args, { capture: true }).then(
    ({ ok }) => ok,
    () => false,
  );
