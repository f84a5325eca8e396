/** Fields of the contract whose feature is not there yet. They are refused by name, never ignored. */
export const LATER_FIELDS: ReadonlySet<string> = new Set([
  'array',
  'concurrency',
  'deduplication',
  'dependsOn',
  'expiresAfter',
  'fairness',
  'freezeLimit',
  'onLeaseLost',
  'rateLimit',
  'requires',
]);

/** The same for parameters of queries. */
export const LATER_PARAMETERS: ReadonlySet<string> = new Set(['workflow']);
