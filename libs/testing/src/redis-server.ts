/** A server that `startRedis` can start, signal, start again and remove: a process or a container. */
export interface RedisServer {
  signal(name: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and data after it ended. */
  restart(): Promise<void>;
  remove(): Promise<void>;
}

export interface RedisServerParams {
  port: number;
  args: readonly string[];
  /** Text of its configuration file, which it may rewrite. Default: it has none. */
  file?: string;
}
