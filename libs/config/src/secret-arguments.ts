/** A flag whose name says that a secret follows, and an address with a password. */
const SECRET_FLAG = /^--[a-z-]*(token|password|secret)(=|$)/;
const SECRET_ADDRESS = /:\/\/[^/@\s]*@/;

/** The part of `process` that is needed. */
export interface ProgramHost {
  readonly argv: readonly string[];
  title: string;
}

/**
 * Takes secrets that were given as flags out of what `ps` and /proc/PID/cmdline show (Linux: a new title is written over
 * the arguments). It comes late by the time that Node takes to start: a file or the environment is better, and the log
 * says so. Without such a flag nothing is changed.
 */
export function hideSecretArguments(host: ProgramHost, title: string): void {
  if (host.argv.some((argument) => SECRET_FLAG.test(argument) || SECRET_ADDRESS.test(argument))) {
    host.title = title;
  }
}
