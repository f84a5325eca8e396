import type { FastifySchemaValidationError } from 'fastify';

import { LATER_FIELDS, LATER_PARAMETERS } from './later-fields.js';
import { invalid, type ProblemError } from './problem.js';

/** AJV's error with `verbose`, which adds the schema it comes from. */
type DetailedError = FastifySchemaValidationError & {
  parentSchema?: { title?: string; patternProperties?: unknown };
};

/**
 * Tells in a sentence which field is wrong. With `allErrors` off AJV stops at the first one; of a union it lists the
 * branches first and the union itself last.
 */
export function explainValidation(errors: readonly FastifySchemaValidationError[], context: string): ProblemError {
  const error = errors.at(-1);
  if (error === undefined) {
    return invalid('', 'the request is not valid');
  }
  const path = toPath(error.instancePath);
  const { params } = error as { params: Record<string, unknown> };
  switch (error.keyword) {
    case 'required':
      return invalid(join(path, String(params['missingProperty'])), 'is required');
    case 'additionalProperties': {
      const field = String(params['additionalProperty']);
      const { parentSchema } = error as DetailedError;
      if (parentSchema?.patternProperties !== undefined) {
        // A map whose keys have a form, as `env`: any may be there.
        return invalid(join(path, field), `is not a name that is allowed: expected ${parentSchema.title ?? 'another'}`);
      }
      const later = (context === 'body' ? LATER_FIELDS : LATER_PARAMETERS).has(field);
      return invalid(
        join(path, field),
        later ? 'is not supported yet: it comes with a later version' : `is not a known ${toNoun(context)}`,
      );
    }
    default:
      return invalid(
        path,
        path === '' && error.keyword === 'type' ? 'expected a JSON object' : toMessage(error, params),
      );
  }
}

function toMessage(error: DetailedError, params: Record<string, unknown>): string {
  const title = error.parentSchema?.title;
  if (title !== undefined) {
    return `expected ${title}`;
  }
  switch (error.keyword) {
    case 'enum':
      return `expected one of ${(params['allowedValues'] as unknown[]).join(', ')}`;
    case 'type':
      return `expected ${String(params['type'])}`;
    default:
      return error.message ?? 'is not valid';
  }
}

function toNoun(context: string): string {
  return context === 'querystring' ? 'parameter' : 'field';
}

/** "/jobs/3/timeout" as "jobs[3].timeout". */
function toPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : join(path, part)), '');
}

function join(path: string, field: string): string {
  return path === '' ? field : `${path}.${field}`;
}
