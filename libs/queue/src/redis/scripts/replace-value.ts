import { defineScript } from '@orchestrator/redis';

import { replaceValue as lua } from '../lua.js';

/** Answers whether `before` still stood there and was replaced. */
export const replaceValue = defineScript<{ key: string; before: string; after: string }, boolean>({
  name: 'replace-value',
  lua,
  keys: ({ key }) => [key],
  args: ({ before, after }) => [before, after],
  reply: (raw) => raw === 1,
});
