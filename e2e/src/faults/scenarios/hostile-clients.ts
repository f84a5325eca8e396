import { readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import type { SchedulerSeat } from '../cluster/scheduler-seat.js';
import { waitUntil } from '../../harness/wait.js';
import { Attackers } from '../attackers.js';
import { hostile, type HostileBench } from '../hostile-bench.js';
import { requireThat } from '../scenario.js';

const LOOK_MS = 50;
/** Callers who come and go, and connections to Redis that are replaced. */
const FILES_SLACK = 10;
/** A kernel whose queue of new connections is full lets others try again after 1 and 3 s. */
const ANSWERED_WITHIN_MS = 8_000;
const CLOSED_WITHIN_MS = 60_000;

/** Asks for one thing after the other, each time on a connection of its own, as callers do who come and go. */
class Passers {
  slowestMs = 0;
  answers = 0;
  #stopped = false;
  readonly #loop: Promise<void>;

  constructor(
    private readonly bench: HostileBench,
    private readonly allowed: readonly number[] = [200],
  ) {
    this.#loop = this.#ask();
    this.#loop.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
    requireThat(this.answers > 0, 'nobody else was answered');
    requireThat(this.slowestMs < ANSWERED_WITHIN_MS, `an answer to others took ${this.slowestMs.toFixed(0)} ms`);
  }

  async #ask(): Promise<void> {
    while (!this.#stopped) {
      const since = performance.now();
      const headers = { connection: 'close' };
      const response = await fetch(`${this.bench.cluster.api.address}/api/v1/workers`, { headers });
      await response.text();
      requireThat(this.allowed.includes(response.status), `others were answered ${response.status}`);
      this.slowestMs = Math.max(this.slowestMs, performance.now() - since);
      this.answers += 1;
      await pause(20);
    }
  }
}

function filesOf({ program }: SchedulerSeat): number {
  return readdirSync(`/proc/${program.pid}/fd`).length;
}

const HTTP_CONNECTIONS = 11_000;
const GRPC_CONNECTIONS = 4_000;

const connections = hostile({
  id: 'H1-connections',
  title: `${HTTP_CONNECTIONS} connections to the API from one address, half with a request, ${GRPC_CONNECTIONS} to the gRPC port`,
  promise: 'others are answered, workers beat, and at last nothing of it is held',
  // For ten thousand of them at once: 20 kB each.
  schedulerMayGrowMib: 350,
  async attack(bench) {
    const { api } = bench.cluster;
    const scheduler = bench.cluster.scheduler(1);
    const id = await bench.submit('sleep 2');
    const request = `GET /api/v1/jobs/${id}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const passers = new Passers(bench);
    const attackers = new Attackers([
      { port: scheduler.httpPort, connections: HTTP_CONNECTIONS, says: ['', request] },
      { port: scheduler.grpcPort, connections: GRPC_CONNECTIONS },
    ]);
    const begun = performance.now();
    const before = filesOf(scheduler);
    let most = 0;
    const look = setInterval(() => (most = Math.max(most, filesOf(scheduler) - before)), LOOK_MS);
    try {
      await attackers.opened();
      await bench.finished(id);
      // Clients cannot tell: a connection that its kernel dropped from a full queue looks open to them for good.
      const closed = (): boolean => filesOf(scheduler) < before + FILES_SLACK;
      await waitUntil('the scheduler has closed all of them', closed, { withinMs: CLOSED_WITHIN_MS });
    } finally {
      clearInterval(look);
      await attackers.end();
      await passers.stop();
    }
    const seconds = (performance.now() - begun) / 1_000;
    await api.job(id);
    const others = `${passers.answers} answers to others within ${passers.slowestMs.toFixed(0)} ms`;
    return `it had ${most} at once, none after ${seconds.toFixed(0)} s; ${others}`;
  },
});

const DESCRIPTORS = 200;
const KEPT_FOR_REDIS = 20;

const fewDescriptors = hostile({
  id: 'H1-descriptors',
  title: `a scheduler with ${DESCRIPTORS} descriptors, 2,000 connections to each of its ports`,
  promise: 'it never runs out of descriptors: others are answered, workers beat, Redis is reached anew',
  options: { schedulerLauncher: ['prlimit', `--nofile=${DESCRIPTORS}`, '--'] },
  async attack(bench) {
    const scheduler = bench.cluster.scheduler(1);
    // Also while its connections to Redis are replaced.
    const passers = new Passers(bench, [200, 503]);
    const attackers = new Attackers([
      { port: scheduler.httpPort, connections: 2_000 },
      { port: scheduler.grpcPort, connections: 2_000 },
    ]);
    let files = 0;
    const look = setInterval(() => (files = Math.max(files, filesOf(scheduler))), LOOK_MS);
    try {
      await attackers.opened();
      await bench.cluster.redisClient.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await bench.run('echo as ever');
    } finally {
      clearInterval(look);
      await attackers.end();
      await passers.stop();
    }
    requireThat(files <= DESCRIPTORS - KEPT_FOR_REDIS, `it had ${files} of ${DESCRIPTORS} descriptors`);
    return `at most ${files} of ${DESCRIPTORS} descriptors, ${passers.answers} answers to others`;
  },
});

export const hostileClients = [connections, fewDescriptors];
