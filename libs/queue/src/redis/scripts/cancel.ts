import type { CancelVerdict } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { cancel as lua } from '../lua.js';

export const cancel = definePoolScript<{ ulids: readonly string[] }, CancelVerdict[]>({
  name: 'cancel',
  lua,
  args: ({ ulids }) => [...ulids],
  reply: (raw) => raw as CancelVerdict[],
});
