import { defineScript, type RedisClient, type ScriptArgument } from '@orchestrator/redis';

import { SCHEMA_VERSION } from '../keys.js';

/** Who calls, and which of its calls this is. */
export interface PoolCall {
  /** Base of the pool's slot: KEYS[1]. */
  base: string;
  clientId: string;
  /** Grows with each call of the client; a repetition has the same one. */
  number: number;
}

export interface PoolScriptDefinition<Params, Reply> {
  /** As in the file's name, for errors. */
  name: string;
  lua: string;
  /** ARGV[4] and on; 1 to 3 are the schema's version, the client and the number. */
  args(params: Params): ScriptArgument[];
  reply(raw: unknown, params: Params): Reply;
  /** Version of the schema that the pool must have. Default `SCHEMA_VERSION`. */
  schema?(params: Params): string;
  /** Bulk strings arrive as `Buffer`. Default false. */
  binary?: boolean;
}

export interface PoolScript<Params, Reply> {
  readonly name: string;
  send(redis: RedisClient, call: PoolCall, params: Params): Promise<Reply>;
}

/** A writing script of a pool's slot, as includes/pool.lua expects to be called. Sent by `PoolCalls` only. */
export function definePoolScript<Params, Reply>(
  definition: PoolScriptDefinition<Params, Reply>,
): PoolScript<Params, Reply> {
  const script = defineScript<{ call: PoolCall; params: Params }, Reply>({
    name: definition.name,
    lua: definition.lua,
    keys: ({ call }) => [call.base],
    args: ({ call, params }) => {
      const schema = definition.schema?.(params) ?? SCHEMA_VERSION;
      return [schema, call.clientId, call.number, ...definition.args(params)];
    },
    reply: (raw, { params }) => definition.reply(raw, params),
    binary: definition.binary ?? false,
  });
  return { name: definition.name, send: (redis, call, params) => script(redis, { call, params }) };
}
