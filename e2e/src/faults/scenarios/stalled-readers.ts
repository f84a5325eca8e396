import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';

import { memoryOf, processesOfWorker } from '../../harness/processes.js';
import { ROOT } from '../../harness/program.js';
import { waitUntil } from '../../harness/wait.js';
import type { FaultCluster } from '../cluster/fault-cluster.js';
import { hostile } from '../hostile-bench.js';
import { requireThat } from '../scenario.js';

const JOBS = 300;
const MAY_GROW_MIB = 60;

const stalledLog = hostile({
  id: 'D17',
  title: `nobody reads a worker's log at level debug while it runs ${JOBS} jobs`,
  promise: 'it works on, and all that it said can be read afterwards',
  async attack(bench) {
    const { cluster, context } = bench;
    const unheard = startUnheard(cluster, context.folder);
    const { pid, stdout } = unheard;
    try {
      await cluster.workerIs('unheard', 'alive');
      const before = memoryOf(pid);
      const ids = await Promise.all(Array.from({ length: JOBS }, () => bench.submit(':', { pool: 'unheard' })));
      await Promise.all(ids.map((id) => bench.finished(id)));
      const grown = memoryOf(pid) - before;
      requireThat(grown < MAY_GROW_MIB, `it grew by ${grown} MiB`);

      let text = '';
      stdout.on('data', (chunk) => (text += String(chunk)));
      const told = (): boolean => text.split('"attempt ended"').length - 1 >= JOBS;
      await waitUntil('all that it said can be read', told, { withinMs: 10_000 });
      return `${(text.length / 1_000).toFixed(0)} kB of log waited for their reader; that worker +${grown.toFixed(0)} MiB`;
    } finally {
      await unheard.end();
    }
  },
});

interface Unheard {
  pid: number;
  stdout: NodeJS.ReadableStream;
  end(): Promise<void>;
}

/** Its stdout is a pipe that is full after 64 KiB. */
function startUnheard(cluster: FaultCluster, cwd: string): Unheard {
  const address = `127.0.0.1:${cluster.scheduler(1).grpcPort}`;
  const flags = ['--id=unheard', '--pools=unheard', `--schedulers=${address}`, '--slots=8', '--log-level=debug'];
  const program = join(ROOT, 'apps/worker/dist/main.js');
  const child = spawn(process.execPath, [program, ...flags], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = child.pid ?? 0;
  return {
    pid,
    stdout: child.stdout,
    async end() {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
      await waitUntil('nothing of it is left', () => processesOfWorker(pid).length === 0, { withinMs: 15_000 });
    },
  };
}

const CLIENTS = 100;
const STARTS = 4;
const CUT_WITHIN_MS = 80_000;
const ANSWERED_WITHIN_MS = 3_000;
const CUT = 'a client that follows output reads too slowly';

const stalledClients = hostile({
  id: 'D17-clients',
  title: `${CLIENTS} clients that follow output as events and never read, ${CLIENTS} that fetch it and never read`,
  promise: "the scheduler's memory is bounded, it answers others, and followers are cut off by name",
  async attack(bench) {
    const { cluster, context } = bench;
    const { api } = cluster;
    const stop = join(context.folder, 'noise-may-end');
    // NUL takes six characters in JSON: three megabytes for each start, more than a kernel takes for who does not read.
    const body = [
      'head -c 250000 /dev/zero; head -c 250000 /dev/zero >&2; sleep 3',
      `[ $ORCHESTRATOR_ATTEMPT -lt ${STARTS} ] && { note end 1; exit 1; }`,
      `while [ ! -e "${stop}" ]; do sleep 0.2; done`,
    ].join('\n');
    const backoff = { type: 'fixed', delay: 0, jitter: 'none' };
    const id = await bench.submit(body, { attempts: STARTS, backoff });
    const isThere = async (): Promise<boolean> => (await bench.logs(id)).bytes.length === 500_000;
    await waitUntil('its output is there', isThere, { withinMs: 15_000 });
    const open = (query: string): Socket => {
      const socket = connect(Number(new URL(api.address).port), '127.0.0.1').on('error', () => undefined);
      socket.pause().write(`GET /api/v1/jobs/${id}/logs${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      return socket;
    };
    const clients = Array.from({ length: CLIENTS }, () => [open('?follow=true'), open('')]).flat();
    let slowestMs = 0;
    const allCut = async (): Promise<boolean> => {
      const since = performance.now();
      await api.job(id);
      slowestMs = Math.max(slowestMs, performance.now() - since);
      return cluster.scheduler(1).program.output.split(CUT).length - 1 === CLIENTS;
    };
    try {
      await waitUntil('all followers are cut off', allCut, { withinMs: CUT_WITHIN_MS });
    } finally {
      clients.forEach((socket) => socket.destroy());
      writeFileSync(stop, '');
    }
    await bench.finished(id);
    requireThat(slowestMs < ANSWERED_WITHIN_MS, `an answer to others took ${slowestMs} ms`);
    return `${CLIENTS} cut off, others answered within ${slowestMs.toFixed(0)} ms`;
  },
});

export const stalledReaders = [stalledLog, stalledClients];
