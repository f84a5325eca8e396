import { assign } from './messages.js';
import { SessionBench } from './session-bench.js';

export const LEASE_MS = 12_000;
export const INTERVAL_MS = 3_000;

/** With one attempt that runs, and nothing left to send. */
export function running(slots = 2): SessionBench {
  const bench = new SessionBench({ slots }).welcomed();
  bench.session.receive(assign(100, 'a.0'));
  bench.sent();
  return bench;
}

/** Cut off for as long as its lease: a.0 is frozen, and there is no link. */
export function cutOff(slots = 2): SessionBench {
  const bench = running(slots);
  bench.session.detach();
  bench.clock.advance(LEASE_MS);
  bench.runner.events.frozen?.(['a.0']);
  return bench;
}

/** The same with the next link there and its Hello said. */
export function backAgain(slots = 2): SessionBench {
  const bench = cutOff(slots);
  bench.session.attach();
  bench.sent();
  return bench;
}
