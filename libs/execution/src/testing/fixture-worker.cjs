'use strict';

// A worker's process to be killed: an executor and one attempt, given as JSON. Says on stdout what a test must know.
const { systemClock } = require('@orchestrator/core');
const { silentLogger } = require('@orchestrator/telemetry');

const { ExecutorProcess, uptimeMs } = require('../../dist/index.js');

const { attempts, leaseMs, handlers, ...params } = JSON.parse(process.argv[2]);
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const executor = new ExecutorProcess({
  clock: systemClock,
  logger: silentLogger,
  environment: process.env,
  cgroup: 'off',
  events: {
    started: (attemptId, pid) => say({ started: attemptId, pid }),
    output: () => undefined,
    ended: (end) => say({ ended: end.attemptId }),
    unstarted: (attemptIds) => say({ unstarted: attemptIds }),
    leaseLost: (attemptIds) => say({ leaseLost: attemptIds }),
    frozen: (attemptIds) => say({ frozen: attemptIds }),
    executorLost: (attemptIds) => say({ executorLost: attemptIds }),
  },
  ...params,
});

void executor.start().then(() => {
  say({ executor: executor.pid });
  executor.renewLease(uptimeMs(), leaseMs);
  executor.reportHandlers(handlers === true);
  attempts.forEach((attempt) => executor.run(attempt));
  // By then all of it has been written.
  setTimeout(() => say({ told: true }), 50);
});
