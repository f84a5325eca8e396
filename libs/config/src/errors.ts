import { OrchestratorError } from '@orchestrator/core';

/** One thing that is wrong: which key, what was given, which rule it breaks. */
export interface ConfigProblem {
  key: string;
  /** As given, from where; absent when it must not be shown or there was none. */
  value?: string;
  rule: string;
}

/** Thrown when a configuration cannot be used. The message is for a person and names every problem; exit code 2. */
export class ConfigError extends OrchestratorError {
  constructor(readonly problems: readonly ConfigProblem[]) {
    super('BAD_CONFIG', ['the configuration cannot be used:', ...problems.map(toLine)].join('\n'));
  }
}

function toLine({ key, value, rule }: ConfigProblem): string {
  return value === undefined ? `  ${key}: ${rule}` : `  ${key} is ${value}: ${rule}`;
}
