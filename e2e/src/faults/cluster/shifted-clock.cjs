'use strict';

// Loaded before a program (NODE_OPTIONS=--require): shifts its wall clock by what stands in FAULTS_CLOCK_FILE, in ms.
// Date.now, new Date() and Date() move; performance.now, hrtime and timers do not: as when a machine's clock is set.
const { readFileSync } = require('node:fs');

const READ_AGAIN_AFTER_NS = 50_000_000n;
const file = process.env.FAULTS_CLOCK_FILE;

if (file !== undefined) {
  const RealDate = Date;
  let offsetMs = 0;
  let readAtNs = -READ_AGAIN_AFTER_NS;

  const now = () => {
    const atNs = process.hrtime.bigint();
    if (atNs - readAtNs > READ_AGAIN_AFTER_NS) {
      readAtNs = atNs;
      try {
        offsetMs = Number(readFileSync(file, 'utf8')) || 0;
      } catch {
        offsetMs = 0;
      }
    }
    return RealDate.now() + offsetMs;
  };

  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    apply: () => new RealDate(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  });
}
