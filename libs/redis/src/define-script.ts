import { createHash } from 'node:crypto';

import type { Cluster, Redis } from 'ioredis';

/** A standalone, Sentinel or Cluster connection. */
export type RedisClient = Redis | Cluster;

export type ScriptArgument = string | number | Buffer;

/** How one Lua script is called: the only place that knows the order of its keys and arguments. */
export interface ScriptDefinition<Params, Reply> {
  /** As in the file's name, for errors. */
  name: string;
  lua: string;
  keys(params: Params): string[];
  args(params: Params): ScriptArgument[];
  /** Bulk strings arrive as `Buffer` when `binary` is set, else as `string`. */
  reply(raw: unknown, params: Params): Reply;
  /** Default false. */
  binary?: boolean;
}

export type Script<Params, Reply> = (redis: RedisClient, params: Params) => Promise<Reply>;

/**
 * Makes a typed function of a Lua script. It is sent by its hash and, where Redis does not know it (restart, failover,
 * SCRIPT FLUSH), once more as a whole. Errors of Redis pass through; `replyCode` tells which.
 */
export function defineScript<Params, Reply>(definition: ScriptDefinition<Params, Reply>): Script<Params, Reply> {
  const sha = createHash('sha1').update(definition.lua).digest('hex');
  return async (redis, params) => {
    const keys = definition.keys(params);
    const rest = [keys.length, ...keys, ...definition.args(params)];
    const send = (command: string, script: string): Promise<unknown> =>
      definition.binary === true ? redis.callBuffer(command, script, ...rest) : redis.call(command, script, ...rest);
    try {
      return definition.reply(await send('EVALSHA', sha), params);
    } catch (error) {
      if (replyCode(error) !== 'NOSCRIPT') {
        throw error;
      }
      return definition.reply(await send('EVAL', definition.lua), params);
    }
  };
}

/** The leading word of an error that Redis or one of our scripts answered, as `OOM` or `STALE_OP`. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') {
    return undefined;
  }
  return /^([A-Z][A-Z_]+)\b/.exec(error.message)?.[1];
}
