/**
 * Base of every error that this product throws on purpose. `code` is stable and meant for programs; the message is a
 * sentence for a person: what failed, with which value, what was expected.
 */
export class OrchestratorError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Thrown when a value given by a caller is not acceptable; `path` says which one. */
export class InvalidValueError extends OrchestratorError {
  constructor(
    readonly path: string,
    message: string,
  ) {
    super('INVALID_VALUE', message);
  }
}
