/** What this scheduler has done and seen since it started; read by whoever shows it. */
export interface DispatchCounters {
  assigned: number;
  settled: number;
  returned: number;
  /** Results of attempts that no longer held their job: nothing changed. */
  staleAttempts: number;
  /** Jobs taken back from dead sessions. */
  reassigned: number;
  /** Verdicts and terms of ours that were refused since another scheduler leads (`STALE_TERM`). */
  staleTerms: number;
  /** Streams ended since their session has said Hello elsewhere since. */
  staleEpochs: number;
  /** Pools found on another server than they remember. */
  recoveries: number;
  /** Attempts taken back from a lost tail when their worker said that it holds them. */
  adopted: number;
  /** How often a worker was found that beats but takes no work. */
  wedged: number;
  /** Workers cut off since they did not read what they were sent. */
  slowConsumers: number;
  /** Workers cut off since they sent more than any worker does. */
  floods: number;
  /** Workers told to move to a scheduler with fewer. */
  balanced: number;
}

export function createCounters(): DispatchCounters {
  return {
    assigned: 0,
    settled: 0,
    returned: 0,
    staleAttempts: 0,
    reassigned: 0,
    staleTerms: 0,
    staleEpochs: 0,
    recoveries: 0,
    adopted: 0,
    wedged: 0,
    slowConsumers: 0,
    floods: 0,
    balanced: 0,
  };
}
