import { definePoolScript } from '../define-pool-script.js';
import { migrate as lua } from '../lua.js';

export interface MigrateParams {
  /** Of the pool's data, before and after. */
  from: string;
  to: string;
  ulids: readonly string[];
}

/** Brings jobs of schema 1 to schema 2; answers how many there were. */
export const migrate = definePoolScript<MigrateParams, number>({
  name: 'migrate',
  lua,
  schema: ({ from }) => from,
  args: ({ to, ulids }) => [to, ...ulids],
  reply: (raw) => raw as number,
});
