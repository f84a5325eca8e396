import { Writable } from 'node:stream';

import { type Clock, sleep, systemClock } from '@orchestrator/core';
import { createLogger as createWinston, format as winstonFormat, transports } from 'winston';

import { formatLine, type LogFormat } from './log-line.js';
import { LineWriter } from './line-writer.js';
import type { LogFields, Logger } from './logger.js';
import { createRedact } from './redact.js';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface CreateLoggerOptions {
  level: LogLevel;
  format: LogFormat;
  /** Where the lines go, as `process.stdout`. It is never closed. */
  stream: Writable;
  /** Colours in `pretty`. Default: whether the stream is a terminal. */
  colours?: boolean;
  /** Values that must never be written, as passwords and tokens. */
  secrets?: readonly string[];
  /** On every line. */
  fields?: LogFields;
  clock?: Clock;
  /** While more than this waits in the stream, lines are dropped and counted. Default `MAX_BUFFERED_BYTES`. */
  maxBufferedBytes?: number;
}

export interface ClosableLogger extends Logger {
  /** Lines not written because whoever reads them had stalled or failed. */
  readonly dropped: number;
  /** Values that must never be written from now on, as those of a file that has changed. */
  mask(secrets: readonly string[]): void;
  /**
   * For who has many lines in one turn of the event loop: the same lines, in the same order among all others, but written
   * together when the turn ends. What a process says last, before it exits, is not for this.
   */
  gathering(fields: LogFields): Logger;
  /** Resolves when all lines so far were handed on, or after `FLUSH_LIMIT_MS`. Call it before the process ends. */
  flush(): Promise<void>;
  /** `flush`, after which lines are ignored. */
  close(): Promise<void>;
}

/** A stalled reader of stdout may cost this much memory and no more. */
export const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;
export const FLUSH_LIMIT_MS = 2_000;
const FLUSH_LOOK_MS = 10;
const LINE = Symbol.for('message');

/** The winston logger of a process. Only an app's composition root makes one. */
export function createLogger(options: CreateLoggerOptions): ClosableLogger {
  const { stream, clock = systemClock, maxBufferedBytes = MAX_BUFFERED_BYTES } = options;
  const redact = createRedact(options.secrets ?? []);
  const colours = options.colours ?? (stream as { isTTY?: boolean }).isTTY === true;
  const own = options.fields ?? {};
  let closed = false;

  const render = (level: string, message: string, scope: LogFields, fields: LogFields): string =>
    formatLine(
      { wallMs: clock.wallMs(), level, message, fields: redact(scope, fields, level === 'error') },
      options.format,
      colours,
    );

  const writer = new LineWriter({
    stream,
    maxBufferedBytes,
    describe: (count, error) =>
      render('warn', 'log lines were dropped: their reader had stalled or failed', own, { dropped: count, error }),
  });
  const bounded = winstonFormat((info) => {
    if (writer.isFull) {
      writer.drop();
      return false;
    }
    const { level, message, scope, fields } = info as unknown as Said;
    (info as Record<symbol, unknown>)[LINE] = render(level, message, scope, fields);
    return info;
  });

  const winston = createWinston({
    level: options.level,
    format: bounded(),
    transports: [new transports.Stream({ stream: toSink(writer), eol: '' })],
    exitOnError: false,
  });

  const flush = async (): Promise<void> => {
    const until = clock.monotonicMs() + FLUSH_LIMIT_MS;
    writer.flush();
    while (winston.writableLength + stream.writableLength > 0 && !stream.destroyed && clock.monotonicMs() < until) {
      await sleep(clock, FLUSH_LOOK_MS);
    }
  };

  const isOn = (level: LogLevel): boolean => !closed && winston.isLevelEnabled(level);
  const logger = scoped(isOn, (said) => winston.log(said), own);
  // A line costs winston's streams as much as making it does, and writing it more than both.
  const gather = ({ level, message, scope, fields }: Said): void => {
    if (writer.isFull) {
      writer.drop();
    } else {
      writer.gather(render(level, message, scope, fields));
    }
  };
  return Object.defineProperty(
    {
      ...logger,
      mask: (secrets: readonly string[]) => redact.mask(secrets),
      gathering: (fields: LogFields) => scoped(isOn, gather, { ...own, ...fields }),
      flush,
      close: async (): Promise<void> => {
        closed = true;
        await flush();
        winston.close();
      },
    } as ClosableLogger,
    'dropped',
    { get: () => writer.dropped, enumerable: true },
  );
}

/** Takes every line at once: waiting is not for those who log. */
function toSink(writer: LineWriter): Writable {
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      writer.write(line);
      done();
    },
  });
}

/** What is to be a line. */
interface Said {
  level: LogLevel;
  message: string;
  /** Of the logger. */
  scope: LogFields;
  /** Of the line; they go over those of the logger. */
  fields: LogFields;
}

const NO_FIELDS: LogFields = {};

function scoped(isOn: (level: LogLevel) => boolean, put: (said: Said) => void, scope: LogFields): Logger {
  const write = (level: LogLevel, message: string, fields: LogFields = NO_FIELDS): void => {
    if (isOn(level)) {
      put({ level, message, scope, fields });
    }
  };
  return {
    isDebug: isOn('debug'),
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => scoped(isOn, put, { ...scope, ...fields }),
  };
}
