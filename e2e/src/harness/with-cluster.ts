import { Cluster, type ClusterOptions } from './cluster.js';

/** Runs one test on a cluster of its own. When it fails, what everybody said last is part of the message. */
export async function withCluster(options: ClusterOptions, test: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = await Cluster.start(options);
  try {
    await test(cluster);
  } catch (error) {
    if (error instanceof Error) {
      error.message += `\n${cluster.describe()}`;
    }
    await cluster.stop().catch(() => undefined);
    throw error;
  }
  await cluster.stop();
}
