/** A terminal signals the whole group and npm passes the signal on besides: within this time it is one request. */
const SAME_REQUEST_MS = 1_000;

/** Calls `first` for the first request to stop and `again` for each later one that a person made on purpose. */
export function onStop({ first, again }) {
  let since;
  const asked = (signal) => {
    if (since === undefined) {
      since = performance.now();
      first(signal);
    } else if (performance.now() - since > SAME_REQUEST_MS) {
      again(signal);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, asked);
  }
}
