import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock, systemRandom } from '@orchestrator/core';
import { createRedis } from '@orchestrator/redis';
import { createLogger } from '@orchestrator/telemetry';
import { startRedis, type TestRedis } from '@orchestrator/testing';

import { CredentialFiles } from '../credentials/credential-files.js';
import { openRedisPassword } from '../credentials/redis-password.js';
import { memoryStream } from '../testing/memory-stream.js';
import { RedisConnections } from './redis-connections.js';

const FIRST = 'first password/#@';
const SECOND = 'second-password';

describe('redis.passwordFile', () => {
  let redis: TestRedis;
  let admin: ReturnType<typeof createRedis>;
  let directory: string;
  let out: ReturnType<typeof memoryStream>;
  let files: CredentialFiles;
  let connections: RedisConnections;

  const write = (password: string): void =>
    writeFileSync(join(directory, 'password'), `${password}\n`, { mode: 0o600 });
  const rename = (password: string): Promise<unknown> => admin.config('SET', 'requirepass', password);

  beforeEach(async () => {
    redis = await startRedis();
    admin = createRedis({ url: redis.url, connectionName: 'admin' });
    await admin.connect();
    await rename(FIRST);
    directory = mkdtempSync(join(tmpdir(), 'password-file-'));
    write(FIRST);
    out = memoryStream();
    const logger = createLogger({ level: 'debug', format: 'json', stream: out.stream });
    files = new CredentialFiles({
      logger,
      mask: (secrets) => logger.mask(secrets),
      clock: systemClock,
      random: systemRandom,
    });
    connections = new RedisConnections({
      target: { url: redis.url },
      lockUrls: [redis.url, redis.url.replace('redis://', 'redis://:own-password@')],
      password: openRedisPassword({ redis: { passwordFile: join(directory, 'password') } as never }, files),
      schedulerId: 'scheduler-1',
      clock: systemClock,
      logger,
    });
  });
  afterEach(async () => {
    await connections.stop();
    admin.disconnect();
    rmSync(directory, { recursive: true });
    await redis.stop();
  });

  it('is presented by each connection whose address has no password of its own', async () => {
    await connections.start();

    const { submit, dispatch, control, news, locks } = connections;
    await Promise.all([submit, dispatch, control, news, ...locks.slice(0, 1)].map((one) => one.ping()));
    expect(locks[1]?.status).not.toBe('ready');
  });

  it('is read again: connections that are made anew present the new one, the others stay', async () => {
    await connections.start();
    const { submit, control } = connections;
    await rename(SECOND);
    write(SECOND);
    await files.runOnce();
    const back = new Promise((resolve) => submit.once('ready', resolve));
    await admin.client('KILL', 'ID', await submit.client('ID'));

    await back;
    expect(await submit.ping()).toBe('PONG');
    expect(await control.ping()).toBe('PONG');
  });

  it('is said once, at error, to be wrong; neither is shown', async () => {
    write(SECOND);
    await files.runOnce();
    await connections.start();

    const errors = out.lines().filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ reason: expect.stringMatching(/^WRONGPASS/) });
    expect(JSON.stringify(out.lines())).not.toMatch(/second-password|first password|own-password/);
    expect(connections.trouble).toMatch(/refuses the password/);
  });

  it('is said again when it is wrong again, and is no trouble when it is right', async () => {
    const ownPassword = connections.locks[1];
    ownPassword?.disconnect(); // the one that is wrong on purpose
    await connections.start();
    const { submit } = connections;
    const refused = async (): Promise<unknown> => {
      const error = new Promise((resolve) => submit.once('error', resolve));
      await rename(SECOND);
      await admin.client('KILL', 'ID', await submit.client('ID'));
      return error;
    };
    for (const times of [1, 2]) {
      await refused();
      expect(out.lines().filter(({ level }) => level === 'error')).toHaveLength(times);
      expect(connections.trouble).toMatch(/refuses the password/);
      const back = new Promise((resolve) => submit.once('ready', resolve));
      await rename(FIRST);
      await back;
      expect(connections.trouble).toBeUndefined();
    }
  });
});
