/** What this scheduler has done since it started; read by whoever shows it. */
export interface DispatchCounters {
  assigned: number;
  settled: number;
  returned: number;
  /** Results of attempts that no longer held their job: nothing changed. */
  staleAttempts: number;
  /** Jobs taken back from dead sessions. */
  reassigned: number;
}

export function createCounters(): DispatchCounters {
  return { assigned: 0, settled: 0, returned: 0, staleAttempts: 0, reassigned: 0 };
}
