import { hasDockerRedis, removeContainers } from './docker.mjs';
import { requireRedisProgram } from './redis.mjs';

/**
 * Decides once which real Redis the tests use, and says so: containers where a Docker Engine answers, else a private
 * redis-server. ORCHESTRATOR_TEST_REDIS=local | docker decides it by hand.
 */
export async function chooseTestRedis() {
  const wanted = process.env.ORCHESTRATOR_TEST_REDIS;
  if (wanted === 'docker' || (wanted === undefined && (await hasDockerRedis()))) {
    const id = `run-${process.pid}`;
    return {
      description: 'testcontainers (a Docker Engine answers)',
      env: {
        ORCHESTRATOR_TEST_REDIS: 'docker',
        ORCHESTRATOR_TEST_RUN: id,
        // The helper that removes what is left would have to be pulled, too; cleanUp does it.
        TESTCONTAINERS_RYUK_DISABLED: 'true',
      },
      cleanUp: () => removeContainers(`orchestrator.test=${id}`),
    };
  }
  const program = await requireRedisProgram();
  return {
    description: `private redis-server processes (${program})`,
    env: { ORCHESTRATOR_TEST_REDIS: 'local', ORCHESTRATOR_REDIS_SERVER: program },
    cleanUp: async () => undefined,
  };
}
