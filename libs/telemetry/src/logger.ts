/** Data of a log line. Users' text belongs here and never into the message. */
export type LogFields = Record<string, unknown>;

/** Messages are constant sentences. Libraries depend on this interface and never on winston. */
export interface Logger {
  /** False: lines of level debug are not written, and what they would say need not be put together. Default true. */
  readonly isDebug?: boolean;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  child(fields: LogFields): Logger;
}

/** Says nothing; for callers of a library that give no logger. */
export const silentLogger: Logger = {
  isDebug: false,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
