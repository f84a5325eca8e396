import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock, systemRandom } from '@orchestrator/core';
import { createLogger } from '@orchestrator/telemetry';
import { freePort, startRedis, startSentinelGroup, TestAuthority, type TestRedis } from '@orchestrator/testing';

import { CredentialFiles } from '../credentials/credential-files.js';
import { memoryStream } from '../testing/memory-stream.js';
import { openRedisAuthority } from '../tls/redis-authority.js';
import { RedisConnections, type RedisConnectionsParams } from './redis-connections.js';

const authority = new TestAuthority('of Redis');
let directory: string;
let serverArgs: string[];
let out: ReturnType<typeof memoryStream>;
let files: CredentialFiles;
let connections: RedisConnections | undefined;

function connect(
  target: RedisConnectionsParams['target'],
  over: Partial<RedisConnectionsParams> = {},
): RedisConnections {
  const logger = createLogger({ level: 'debug', format: 'json', stream: out.stream });
  files = new CredentialFiles({ logger, mask: () => undefined, clock: systemClock, random: systemRandom });
  const ca = openRedisAuthority({ redis: { ca: join(directory, 'ca.pem') } as never }, files);
  return (connections = new RedisConnections({
    target,
    lockUrls: [],
    authority: ca,
    schedulerId: 'scheduler-1',
    clock: systemClock,
    logger,
    ...over,
  }));
}

const errors = (): unknown[] => out.lines().flatMap((line) => (line['level'] === 'error' ? [line['reason']] : []));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'redis-tls-'));
  const { cert, key } = authority.issue({ name: 'redis', alternatives: ['127.0.0.1'] });
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  serverArgs = [
    ...['--tls-cert-file', write('cert.pem', cert)],
    ...['--tls-key-file', write('key.pem', key)],
    ...['--tls-ca-cert-file', write('ca.pem', authority.cert)],
    ...['--tls-auth-clients', 'no'],
  ];
  out = memoryStream();
});
afterEach(async () => {
  await connections?.stop();
  rmSync(directory, { recursive: true });
});

describe('Redis over TLS', () => {
  let redis: TestRedis;
  let url: string;
  beforeEach(async () => {
    const port = await freePort();
    redis = await startRedis({ args: ['--tls-port', String(port), ...serverArgs] });
    url = `rediss://127.0.0.1:${port}`;
  });
  afterEach(() => redis.stop());

  it('is spoken to with a certificate of redis.ca, each connection', async () => {
    const { submit, dispatch, control, news, locks } = connect({ url }, { lockUrls: [url] });
    await connections?.start();

    await Promise.all([submit, dispatch, control, news, ...locks].map((one) => one.ping()));
  });

  it('is not trusted with another authority: the log says so once, and a new one is taken from its file', async () => {
    writeFileSync(join(directory, 'ca.pem'), new TestAuthority('another').cert);
    const { control } = connect({ url });
    await connections?.start();
    await expect(control.ping()).rejects.toThrow();
    expect(errors()).toEqual([expect.stringContaining('certificate')]);

    writeFileSync(join(directory, 'ca.pem'), authority.cert);
    await files.runOnce();
    await new Promise<void>((resolve) => (control.status === 'ready' ? resolve() : control.once('ready', resolve)));

    expect(await control.ping()).toBe('PONG');
  });

  it('is not spoken to in plain text where the address says TLS', async () => {
    const { control } = connect({ url: `rediss://127.0.0.1:${redis.port}` });
    await connections?.start();

    await expect(control.ping()).rejects.toThrow();
    expect(await redis.client().call('CLIENT', 'LIST')).not.toContain('scheduler-1');
  });
});

describe('Redis Sentinel over TLS', () => {
  it('finds the master over TLS and speaks TLS with it', async () => {
    const group = await startSentinelGroup({ replicas: 1, tlsArgs: serverArgs });
    try {
      const { control } = connect({ sentinels: group.sentinels, name: `rediss://${group.name}` });
      await connections?.start();

      expect(await control.ping()).toBe('PONG');
      expect(await control.call('INFO', 'replication')).toContain('role:master');
    } finally {
      await connections?.stop();
      await group.stop();
    }
  });
});
