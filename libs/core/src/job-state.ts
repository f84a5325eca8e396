/** The states of a job. The last four are final. */
export const JOB_STATES = [
  'blocked',
  'scheduled',
  'queued',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'skipped',
] as const;

export type JobState = (typeof JOB_STATES)[number];

export const FINAL_STATES = ['succeeded', 'failed', 'cancelled', 'skipped'] as const;

export type FinalState = (typeof FINAL_STATES)[number];

/**
 * Every transition that exists; anything else is a defect. Each is carried out by one Lua script
 * (`libs/queue/src/redis/scripts`), and a test there walks this table in both directions. From `scheduled` to `running`
 * is what is adopted: a worker runs it, and Redis had lost that.
 */
export const TRANSITIONS: Readonly<Record<JobState, readonly JobState[]>> = {
  blocked: ['queued', 'scheduled', 'skipped', 'cancelled'],
  scheduled: ['queued', 'running', 'cancelled'],
  queued: ['running', 'scheduled', 'cancelled'],
  running: ['succeeded', 'failed', 'cancelled', 'scheduled', 'queued'],
  succeeded: [],
  failed: ['queued', 'blocked'],
  cancelled: ['queued', 'blocked'],
  skipped: ['queued', 'blocked'],
};

export function isJobState(value: string): value is JobState {
  return (JOB_STATES as readonly string[]).includes(value);
}

export function isFinal(state: JobState): state is FinalState {
  return (FINAL_STATES as readonly string[]).includes(state);
}

export function canTransition(from: JobState, to: JobState): boolean {
  return TRANSITIONS[from].includes(to);
}
