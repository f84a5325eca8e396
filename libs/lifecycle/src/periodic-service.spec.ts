import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { createDeferred } from './deferred.js';
import { PeriodicService } from './periodic-service.js';

const INTERVAL_MS = 1_000;

function setup(options: { jitter?: number; randoms?: number[]; run?: (signal: AbortSignal) => Promise<void> } = {}) {
  const clock = new ManualClock();
  const randoms = options.randoms ?? [];
  const runs: AbortSignal[] = [];
  const errors: unknown[] = [];
  const service = new PeriodicService({
    name: 'test',
    intervalMs: INTERVAL_MS,
    jitter: options.jitter ?? 0,
    clock,
    random: { next: () => randoms.shift() ?? 0.5, hex: () => '' },
    logger: { ...silentLogger, warn: (_message, fields) => errors.push(fields?.['error']) },
    async run(signal) {
      runs.push(signal);
      await options.run?.(signal);
    },
  });
  return { clock, service, runs, errors };
}

/** Lets everything that is already settled go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('PeriodicService', () => {
  it('runs first after a random part of the interval, then after each interval', async () => {
    const { clock, service, runs } = setup({ randoms: [0.25] });

    await service.start();
    await service.start();
    clock.advance(249);
    expect(runs).toHaveLength(0);
    clock.advance(1);
    await settle();
    expect(runs).toHaveLength(1);
    clock.advance(INTERVAL_MS);
    await settle();

    expect(runs).toHaveLength(2);
    await service.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('spreads its waits by the jitter', async () => {
    const { clock, service, runs } = setup({ jitter: 0.2, randoms: [0, 0, 0.999] });

    await service.start();
    clock.advance(0);
    await settle();
    clock.advance(800);
    await settle();
    expect(runs).toHaveLength(2);
    clock.advance(1_199);
    await settle();
    expect(runs).toHaveLength(2);
    clock.advance(1);
    await settle();

    expect(runs).toHaveLength(3);
    await service.stop();
  });

  it('logs what a run throws and goes on', async () => {
    const failure = new Error('broken');
    const { clock, service, runs, errors } = setup({ run: () => Promise.reject(failure) });

    await service.start();
    clock.advance(500);
    await settle();
    clock.advance(INTERVAL_MS);
    await settle();

    expect(runs).toHaveLength(2);
    expect(errors).toEqual([failure]);
    await expect(service.runOnce()).rejects.toBe(failure);
    await service.stop();
  });

  it('never overlaps, and callers who wait share the next run', async () => {
    const gates = [createDeferred(), createDeferred(), createDeferred()];
    let running = 0;
    let most = 0;
    let count = 0;
    const { service, runs } = setup({
      run: async () => {
        most = Math.max(most, ++running);
        await gates[count++]?.promise;
        running--;
      },
    });

    const first = service.runOnce();
    const second = service.runOnce();
    const third = service.runOnce();
    gates[0]?.resolve();
    await first;
    const fourth = service.runOnce();
    gates[1]?.resolve();
    gates[2]?.resolve();
    await Promise.all([second, third, fourth]);

    expect(most).toBe(1);
    expect(runs).toHaveLength(2);
  });

  it('aborts the run under way and waits for its end when it stops', async () => {
    const gate = createDeferred();
    const { clock, service, runs } = setup({ run: () => gate.promise });
    await service.start();
    clock.advance(500);

    let stopped = false;
    const stopping = service.stop().then(() => (stopped = true));
    await settle();
    expect(runs[0]?.aborted).toBe(true);
    expect(stopped).toBe(false);
    gate.resolve();
    await stopping;

    await service.runOnce();
    expect(runs).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('survives any order of start and stop', async () => {
    const { clock, service, runs } = setup();

    await service.stop();
    await Promise.all([service.start(), service.stop(), service.start(), service.stop(), service.stop()]);
    expect(clock.pendingTimers).toBe(0);
    await service.start();
    clock.advance(INTERVAL_MS);
    await settle();

    expect(runs).toHaveLength(1);
    await service.stop();
  });
});
