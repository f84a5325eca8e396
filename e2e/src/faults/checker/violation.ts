/** One rule that a history breaks, with the job and the attempt that show it. */
export interface Violation {
  rule: Rule;
  job?: string;
  attempt?: number;
  message: string;
}

export type Rule =
  | 'NO_LOSS'
  | 'ONE_JOB'
  | 'EXPECTED_END'
  | 'ONE_ACCEPTANCE'
  | 'ACCEPTED_RAN'
  | 'FAILED_RAN'
  | 'STARTS_ONCE'
  | 'STARTS_CLAIMED'
  | 'NUMBERS_GROW'
  | 'NO_OVERLAP'
  | 'REASSIGNED_IN_TIME'
  | 'LOSSES_COUNTED'
  | 'LOSSES_EXPLAINED'
  | 'NOTHING_LEFT';

export function describe({ rule, job, attempt, message }: Violation): string {
  const where = [job === undefined ? '' : `job ${job}`, attempt === undefined ? '' : `attempt ${attempt}`];
  return [`${rule}:`, ...where.filter((text) => text !== ''), message].join(' ');
}
