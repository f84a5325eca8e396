'use strict';

// Handlers as a user would write them, and as a user should not.
const { writeFileSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

module.exports = {
  add: async ({ data: { a, b } }) => a + b,
  context: (job) => job,
  nothing: () => undefined,
  throws: () => {
    throw new TypeError('no good');
  },
  throwsText: () => {
    throw 'just a text';
  },
  throwsForGood: () => {
    throw Object.assign(new Error('never again'), { retryable: false });
  },
  strays: () =>
    new Promise(() => {
      setTimeout(() => {
        throw new Error('thrown in a timer');
      }, 10);
    }),
  rejectsAlone: async () => {
    void Promise.reject(new Error('rejected alone'));
    await sleep(1_000);
  },
  circular: () => {
    const circular = {};
    circular.self = circular;
    return circular;
  },
  bigint: () => 1n,
  returns: ({ data: bytes }) => 'x'.repeat(bytes),
  prints: async ({ data: name }) => {
    console.log('out', name);
    await sleep(20);
    console.error('err', name);
    process.stdout.write('raw ' + name + '\n');
  },
  floods: () => {
    for (let i = 0; i < 2_000; i++) {
      console.log('y'.repeat(1_000));
    }
  },
  follows: async (_job, { log, signal }) => {
    log('line %d', 1);
    await sleep(60_000, undefined, { signal });
  },
  sleeps: async ({ data: ms }, { signal }) => {
    await sleep(ms, undefined, { signal });
    return 'slept';
  },
  heeds: (_job, { signal }) =>
    new Promise((resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  notesItsEnd: ({ data: file }, { signal }) =>
    new Promise((resolve) =>
      signal.addEventListener('abort', () =>
        resolve(writeFileSync(file, signal.reason.reason + ': ' + signal.reason.message)),
      ),
    ),
  ignores: () => new Promise(() => setInterval(() => undefined, 1_000)),
  spins: ({ data: ms }) => {
    const until = Date.now() + ms;
    while (Date.now() < until);
    return 'spun';
  },
  exits: () => process.exit(7),
  environment: () => Object.keys(process.env),
};
