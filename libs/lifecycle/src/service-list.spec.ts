import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { createDeferred } from './deferred.js';
import type { Service } from './service.js';
import { ServiceList, startAll, stopAll } from './service-list.js';

function setup() {
  const calls: string[] = [];
  const clock = new ManualClock();
  const service = (name: string, over: Partial<Service> = {}): Service => ({
    name,
    start: async () => {
      calls.push(`start ${name}`);
      await over.start?.();
    },
    stop: async () => {
      calls.push(`stop ${name}`);
      await over.stop?.();
    },
  });
  return { calls, clock, service, deps: { clock, logger: silentLogger, stopLimitMs: 1_000 } };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ServiceList', () => {
  it('starts in order and stops in reverse, once each', async () => {
    const { calls, service, deps } = setup();
    const list = new ServiceList('all', [service('a'), service('b')], deps);

    await Promise.all([list.start(), list.start()]);
    await Promise.all([list.stop(), list.stop()]);

    expect(calls).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  });

  it('stops what had started when a start fails, and throws its error', async () => {
    const { calls, service, deps } = setup();
    const failing = service('b', { start: () => Promise.reject(new Error('port in use')) });

    await expect(startAll([service('a'), failing, service('c')], deps)).rejects.toThrow('port in use');

    expect(calls).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  });

  it('gives one more time than the others that says it needs it', async () => {
    const { clock, service, deps } = setup();
    const hanging = (name: string): Service => service(name, { stop: () => new Promise(() => undefined) });

    const stopping = stopAll([hanging('other'), { ...hanging('slow'), stopLimitMs: 5_000 }], deps);
    await settle();
    clock.advance(4_999);
    await settle();
    const before = clock.pendingTimers;
    clock.advance(1);
    await settle();
    clock.advance(1_000);

    expect(before).toBe(1);
    expect(await stopping).toEqual(['slow', 'other']);
  });

  it('stops the others when one fails to stop or takes longer than the limit', async () => {
    const { calls, clock, service, deps } = setup();
    const hanging = service('hanging', { stop: () => new Promise(() => undefined) });
    const failing = service('failing', { stop: () => Promise.reject(new Error('no')) });

    const stopping = stopAll([service('a'), hanging, failing], deps);
    await settle();
    clock.advance(1_000);

    expect(await stopping).toEqual(['failing', 'hanging']);
    expect(calls).toEqual(['stop failing', 'stop hanging', 'stop a']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('starts nothing more when it is stopped during the start', async () => {
    const { calls, service, deps } = setup();
    const gate = createDeferred();
    const list = new ServiceList('all', [service('a', { start: () => gate.promise }), service('b')], deps);

    const starting = list.start();
    await list.stop();
    gate.resolve();
    await starting;

    expect(calls).toEqual(['start a', 'stop b', 'stop a']);
  });
});
