import { ConfigError } from './errors.js';

/** A flag with which a program does one thing and ends, instead of running. It stands alone on the command line. */
export interface ProgramCommand {
  /** As "--new-token". */
  flag: string;
  /** What follows it, for --help: as "ROLE". */
  value: string;
  doc: string;
}

/**
 * The command that a command line asks for, and its value; undefined when the program is to run.
 * @throws {ConfigError} when something stands beside it, or its value is missing.
 */
export function readCommand(
  argv: readonly string[],
  commands: readonly ProgramCommand[],
): { flag: string; value: string } | undefined {
  for (const { flag, value } of commands) {
    const at = argv.findIndex((token) => token === flag || token.startsWith(`${flag}=`));
    if (at < 0) {
      continue;
    }
    const words = argv.flatMap((token, index) =>
      index === at && token !== flag ? [flag, token.slice(flag.length + 1)] : [token],
    );
    if (words.length !== 2 || at !== 0 || words[1] === '') {
      throw new ConfigError([{ key: flag, rule: `expected ${flag} ${value} and nothing else` }]);
    }
    return { flag, value: words[1] ?? '' };
  }
  return undefined;
}
