import type { PurgeVerdict } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { purge as lua } from '../lua.js';

export const purge = definePoolScript<{ ulids: readonly string[] }, PurgeVerdict[]>({
  name: 'purge',
  lua,
  args: ({ ulids }) => [...ulids],
  reply: (raw) => raw as PurgeVerdict[],
});
