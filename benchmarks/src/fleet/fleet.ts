import { hostname } from 'node:os';

import { systemClock, systemRandom } from '@orchestrator/core';
import { uptimeMs } from '@orchestrator/execution';
import type { LogFields, Logger } from '@orchestrator/telemetry';
import { GrpcTransport, OrchestratorWorker } from '@orchestrator/worker-session';

import { serve } from '../ipc/serve.js';
import { Ledger } from '../ledger.js';
import { versionOfPackage } from '../package-version.js';
import type { Beats, FleetParams, FleetStarted } from './fleet-asks.js';
import { NoOpRunner } from './no-op-runner.js';
import { watchedTransport } from './watched-transport.js';

// Many workers in one process: the product's own, each with its session, connection and heartbeats. Only what would run
// their jobs is missing.

const SLOTS = 2;
const LEAVING_AT_ONCE = 100;

const ledger = new Ledger();
const workers: OrchestratorWorker[] = [];
let acknowledgedMs: number[] = [];
let troubles: string[] = [];
let welcomes = 0;

/** A worker warns of what must not happen here. */
const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: noteTrouble,
  error: noteTrouble,
  child: () => logger,
};

function noteTrouble(message: string, fields?: LogFields): void {
  troubles.push(`${message} ${JSON.stringify(fields ?? {})}`);
}

async function start({ address, count, pool }: FleetParams): Promise<FleetStarted> {
  const since = performance.now();
  let allWelcomed: (ms: number) => void = () => undefined;
  const welcomed = new Promise<number>((resolve) => (allWelcomed = resolve));
  const transport = watchedTransport(new GrpcTransport({ clock: systemClock }), {
    welcomed: () => {
      welcomes += 1;
      if (welcomes === count) {
        allWelcomed(performance.now() - since);
      }
    },
    acknowledged: (afterMs) => acknowledgedMs.push(afterMs),
  });
  const version = versionOfPackage('@orchestrator/worker-session');
  for (let number = 1; number <= count; number += 1) {
    const worker = new OrchestratorWorker({
      identity: {
        workerId: `fleet-${number}`,
        pools: [pool],
        slots: SLOTS,
        labels: {},
        version,
        host: hostname(),
        pid: process.pid,
      },
      schedulers: [address],
      drainTimeoutMs: 1_000,
      transport,
      createRunner: (_session, events) => new NoOpRunner(events, ledger),
      endLeftovers: async () => undefined,
      usage: () => ({ load: 0, memoryUsedBytes: 0, memoryTotalBytes: 0 }),
      uptimeMs,
      clock: systemClock,
      random: systemRandom,
      logger,
    });
    worker.ended.catch((error: unknown) => noteTrouble(String(error)));
    workers.push(worker);
    await worker.start();
  }
  return { welcomedMs: await welcomed };
}

async function beats(): Promise<Beats> {
  if (welcomes !== workers.length) {
    troubles.push(`${welcomes} Welcomes for ${workers.length} workers`);
  }
  const seen = { acknowledgedMs, troubles };
  acknowledgedMs = [];
  troubles = [];
  return seen;
}

/** Some at a time: each has two seconds for its Goodbye, and one process speaks for all of them. */
async function stop(): Promise<void> {
  while (workers.length > 0) {
    await Promise.all(workers.splice(-LEAVING_AT_ONCE).map((worker) => worker.stop()));
  }
}

serve(
  {
    start,
    beats,
    stop,
    ledger: async () => ledger.page(),
    reset: async () => ledger.reset(),
  },
  stop,
);
