import type { RetryVerdict } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { retry as lua } from '../lua.js';

export const retry = definePoolScript<{ ulids: readonly string[] }, RetryVerdict[]>({
  name: 'retry',
  lua,
  args: ({ ulids }) => [...ulids],
  reply: (raw) => raw as RetryVerdict[],
});
