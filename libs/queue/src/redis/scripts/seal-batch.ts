import { defineScript } from '@orchestrator/redis';

import { sealBatch as lua } from '../lua.js';

/** Answers whether the batch is there. */
export const sealBatch = defineScript<{ key: string }, boolean>({
  name: 'seal-batch',
  lua,
  keys: ({ key }) => [key],
  args: () => [],
  reply: (raw) => raw === 1,
});
