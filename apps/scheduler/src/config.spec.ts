import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ConfigError, type ConfigProblem } from '@orchestrator/config';

import { loadSchedulerConfig, type SchedulerConfig } from './config.js';

const FILE = join(__dirname, '../../../config/scheduler.yaml');

function config(argv: string[] = [], env: Record<string, string> = {}): SchedulerConfig {
  const loaded = loadSchedulerConfig(argv, env);
  if (loaded.outcome !== 'run') {
    throw new Error('an answer');
  }
  return loaded.config;
}

function problems(argv: string[], env: Record<string, string> = {}): readonly ConfigProblem[] {
  try {
    loadSchedulerConfig(argv, env);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
}

describe('loadSchedulerConfig', () => {
  it('has the documented defaults', () => {
    expect(config()).toMatchObject({
      http: { host: '127.0.0.1', port: 8080, allowedHosts: [] },
      grpc: { host: '127.0.0.1', port: 50051 },
      redis: { url: 'redis://127.0.0.1:6379', prefix: 'orc' },
      lock: { nodes: [] },
      heartbeat: { interval: 3_000, lease: 12_000, timeout: 15_000 },
      durability: 'memory',
      retention: { maxFinished: 100_000, maxOutputBytes: 268_435_456 },
      auth: { mode: 'tokens', joinToken: undefined },
      log: { level: 'info', format: 'auto' },
    });
  });

  it('takes config/scheduler.yaml, which says the defaults', () => {
    expect(config(['--config', FILE])).toEqual(config());
    expect(readFileSync(FILE, 'utf8')).toContain('# allowedHosts:');
  });

  it.each([
    [['--http-host', '0.0.0.0'], 'http.host'],
    [['--http-host', '::'], 'http.host'],
    [['--http-host', '192.168.0.1'], 'http.host'],
    [['--grpc-host', '0.0.0.0'], 'grpc.host'],
    [['--heartbeat-timeout', '14s'], 'heartbeat.timeout'],
    [['--heartbeat-lease', '8s'], 'heartbeat.lease'],
    [['--lock-nodes', 'redis://a,redis://b'], 'lock.nodes'],
    [['--lock-nodes', 'redis://a,redis://a,redis://a'], 'lock.nodes'],
    [['--durability', 'replica'], 'durability'],
    [['--durability', 'replica:0'], 'durability'],
    [['--redis-url', 'memory:'], 'redis.url'],
    [['--redis-sentinels', 'a:1'], 'redis.name'],
    [['--redis-name', 'main'], 'redis.sentinels'],
    [['--redis-sentinels', 'a', '--redis-name', 'main'], 'redis.sentinels'],
    [['--redis-sentinels', 'redis://:x@a:1,redis://:y@b:1', '--redis-name', 'main'], 'redis.sentinels'],
    [['--redis-sentinels', 'rediss://a:1', '--redis-name', 'main'], 'redis.sentinels'],
    [['--redis-sentinels', 'a:1', '--redis-name', 'main', '--redis-url', 'redis://127.0.0.1:6379'], 'redis.url'],
    [['--redis-cluster', 'a:1'], 'redis.cluster'],
    [['--retention-max-finished', '-1'], 'retention.maxFinished'],
  ])('refuses %j', (argv, key) => {
    expect(problems(argv)).toMatchObject([{ key }]);
  });

  it('takes Sentinels and the name of the master instead of an address, and shows no password of them', () => {
    const argv = ['--redis-sentinels', 'redis://:hush@a:1, b:26379', '--redis-name', 'redis://u:hush@main/1'];

    expect(config(argv).redis).toMatchObject({
      sentinels: ['redis://:hush@a:1', 'b:26379'],
      name: 'redis://u:hush@main/1',
    });
    const printed = loadSchedulerConfig([...argv, '--print-config'], {});
    expect(JSON.stringify(printed)).not.toContain('hush');
    expect(loadSchedulerConfig(argv, {})).toMatchObject({ secrets: ['hush', 'hush'] });
  });

  it.each(['memory', 'disk', 'replica:1', 'replica:9'])('takes the durability %s', (durability) => {
    expect(config(['--durability', durability]).durability).toBe(durability);
  });

  it('names a key once', () => {
    expect(problems(['--heartbeat-timeout', '14s'])).toEqual([
      {
        key: 'heartbeat.timeout',
        value: '14000 ms',
        rule: expect.stringMatching(/^expected at least heartbeat\.lease/) as string,
      },
    ]);
  });

  it('refuses what comes later also from the environment, saying so', () => {
    expect(problems([], { ORCHESTRATOR_REDIS_CLUSTER: 'a:1' })).toMatchObject([
      { key: 'redis.cluster', rule: expect.stringContaining('later version') as string },
    ]);
  });

  it('binds wider when it is told so in so many words, gRPC also with a join token', () => {
    const wide = ['--http-host', '0.0.0.0', '--grpc-host', '0.0.0.0'];

    expect(config([...wide, '--auth-mode', 'none']).http.host).toBe('0.0.0.0');
    expect(problems([...wide, '--auth-join-token', 'secret'])).toMatchObject([{ key: 'http.host' }]);
    expect(config(['--grpc-host', '0.0.0.0', '--auth-join-token', 'secret']).grpc.host).toBe('0.0.0.0');
  });
});
