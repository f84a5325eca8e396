import { join } from 'node:path';

import { ConfigError } from '@orchestrator/config';
import { NAME_PATTERN } from '@orchestrator/core';

import { loadWorkerConfig, type WorkerConfig } from './config.js';

describe('loadWorkerConfig', () => {
  const load = (argv: string[], env: Record<string, string> = {}): WorkerConfig => {
    const loaded = loadWorkerConfig(argv, env);
    if (loaded.outcome !== 'run') {
      throw new Error(`expected a configuration, got ${loaded.text}`);
    }
    return loaded.config;
  };

  it('has a default for every key', () => {
    const config = load([]);

    expect(config).toMatchObject({ schedulers: ['127.0.0.1:50051'], pools: ['default'], drainTimeout: 30_000 });
    expect(config.id).toMatch(NAME_PATTERN);
    expect(config.slots).toBeGreaterThan(0);
  });

  it('takes its id from a flag or the environment', () => {
    expect(load(['--id', 'worker-1']).id).toBe('worker-1');
    expect(load([], { ORCHESTRATOR_ID: 'worker-2' }).id).toBe('worker-2');
  });

  it('accepts the example that comes with it', () => {
    const file = join(__dirname, '../../../config/worker.yaml');

    expect(load(['--config', file, '--id', 'worker-1'])).toMatchObject({ executor: { killGrace: 5_000 } });
  });

  it.each([
    ['--slots', '0'],
    ['--slots', '4x'],
    ['--pools', 'Not A Pool'],
    ['--pools', ''],
    ['--schedulers', 'no-port'],
    ['--id', '../etc'],
    ['--drain-timeout', '15 parsecs'],
    ['--executor-pass-env', 'A=1'],
    ['--no-such-key', '1'],
    ['--executor-cwd', '/no/such/directory'],
    ['--executor-cwd', __filename],
    ['--schedulers', '127.0.0.1:99999'],
  ])('refuses %s %s', (flag, value) => {
    expect(() => load([flag, value])).toThrow(ConfigError);
  });

  it.each(['--metrics-port'])('says of %s that it comes later', (flag) => {
    expect(() => load([flag, '1'])).toThrow(/later version/);
  });

  it('never shows the join token', () => {
    const answer = loadWorkerConfig(['--print-config'], { ORCHESTRATOR_JOIN_TOKEN: 'sesame' });
    const loaded = loadWorkerConfig([], { ORCHESTRATOR_JOIN_TOKEN: 'sesame' });

    expect(answer.outcome === 'answer' && answer.text).not.toContain('sesame');
    expect(loaded.outcome === 'run' && loaded.secrets).toEqual(['sesame']);
  });
});
