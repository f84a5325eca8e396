/** Fields of the contract whose feature is not there yet. They are refused by name, never ignored. */
export const LATER_FIELDS: ReadonlySet<string> = new Set([
  'array',
  'concurrency',
  'deduplication',
  'dependsOn',
  'expiresAfter',
  'fairness',
  'rateLimit',
  'requires',
]);

/** The same for parameters of queries. */
export const LATER_PARAMETERS: ReadonlySet<string> = new Set(['workflow']);

const LATER_PATHS = /^(\/api\/v1\/(workflows|schedules|pools|stats|events)(\/.*)?|\/)$/;

/** A call of the contract that is not there yet: told from a path that never will be. */
export function isLaterCall(method: string, url: string): boolean {
  const [path = ''] = url.split('?');
  return LATER_PATHS.test(path) || (method === 'POST' && path === '/api/v1/jobs/retry');
}
