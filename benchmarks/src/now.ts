/** Milliseconds of the clock that all processes of a machine share (CLOCK_MONOTONIC), cheaper than `process.hrtime`. */
const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export function sharedNowMs(): number {
  return performance.now() + offsetMs;
}
