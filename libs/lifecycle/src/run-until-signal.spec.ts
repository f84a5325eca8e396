import { EventEmitter } from 'node:events';

import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { createDeferred } from './deferred.js';
import { runUntilSignal, SAME_PRESS_MS } from './run-until-signal.js';

class Host extends EventEmitter {
  readonly exits: number[] = [];

  exit(code: number): void {
    this.exits.push(code);
  }
}

function setup() {
  const host = new Host();
  const clock = new ManualClock();
  const started = createDeferred();
  const stopped = createDeferred();
  const calls: string[] = [];
  const service = {
    name: 'app',
    start: () => (calls.push('start'), started.promise),
    stop: () => (calls.push('stop'), stopped.promise),
  };
  const ended = createDeferred<number>();
  const run = runUntilSignal({ service, host, clock, logger: silentLogger, ended: ended.promise });
  return { host, clock, started, stopped, calls, ended, run };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('runUntilSignal', () => {
  it.each(['SIGTERM', 'SIGINT'])('stops in order and exits 0 at %s', async (signal) => {
    const { host, started, stopped, calls, run } = setup();
    started.resolve();
    await settle();

    host.emit(signal);
    await settle();
    expect(calls).toEqual(['start', 'stop']);
    expect(host.exits).toEqual([]);
    stopped.resolve();

    expect(await run).toBe(0);
    expect(host.exits).toEqual([0]);
    expect(host.listenerCount('SIGTERM') + host.listenerCount('SIGINT')).toBe(0);
  });

  it('exits 1 at once at the second signal', async () => {
    const { host, clock, started, run } = setup();
    started.resolve();
    host.emit('SIGINT');
    await settle();

    clock.advance(SAME_PRESS_MS + 1);
    host.emit('SIGINT');

    expect(host.exits).toEqual([1]);
    expect(await run).toBe(1);
  });

  it('does not take the copy of one Ctrl-C that npm passes on for a second signal', async () => {
    const { host, clock, started, stopped, run } = setup();
    started.resolve();
    host.emit('SIGINT');
    clock.advance(SAME_PRESS_MS);
    host.emit('SIGINT');
    host.emit('SIGTERM');
    stopped.resolve();

    expect(await run).toBe(0);
    expect(host.exits).toEqual([0]);
  });

  it('stops also when the signal comes during the start', async () => {
    const { host, stopped, calls, run } = setup();
    host.emit('SIGTERM');
    await settle();
    expect(calls).toEqual(['start', 'stop']);
    stopped.resolve();

    expect(await run).toBe(0);
  });

  it('throws what the start throws', async () => {
    const { host, started, run } = setup();
    started.reject(new Error('port in use'));

    await expect(run).rejects.toThrow('port in use');
    expect(host.exits).toEqual([]);
  });

  it('stops and exits with the code with which the program ends by itself', async () => {
    const { started, stopped, calls, ended, run } = setup();
    started.resolve();
    stopped.resolve();
    ended.resolve(4);

    expect(await run).toBe(4);
    expect(calls).toEqual(['start', 'stop']);
  });

  it('exits 1 when the orderly stop fails', async () => {
    const { host, started, stopped, run } = setup();
    started.resolve();
    host.emit('SIGTERM');
    stopped.reject(new Error('no'));

    expect(await run).toBe(1);
  });
});
