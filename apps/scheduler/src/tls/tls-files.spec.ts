import { chmodSync, rmSync, writeFileSync } from 'node:fs';

import { ConfigError } from '@orchestrator/config';
import { ManualClock } from '@orchestrator/testing';

import { TlsBench } from '../testing/tls-bench.js';
import type { TlsMaterial } from './tls-material.js';

const DAY_MS = 86_400_000;

describe('TlsFiles', () => {
  let bench: TlsBench;
  let clock: ManualClock;
  const said = (level: string): unknown[] =>
    bench.out.lines().flatMap((line) => (line['level'] === level ? [line['message']] : []));
  const inDays = (days: number): Date => new Date(clock.wallMs() + days * DAY_MS);

  beforeEach(() => {
    clock = new ManualClock();
    bench = new TlsBench(clock);
    bench.write(bench.issue({ notBefore: inDays(-10), notAfter: inDays(30) }));
  });
  afterEach(() => bench.stop());

  it.each([
    ['tls.cert', 'there is no such file', (): void => rmSync(bench.paths.cert)],
    ['tls.cert', 'holds no certificate', (): void => bench.write({ cert: 'nothing' })],
    [
      'tls.cert',
      'certificate 1 of 1 in it is damaged',
      (): void => bench.write({ cert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }),
    ],
    ['tls.key', 'there is no such file', (): void => rmSync(bench.paths.key)],
    ['tls.key', 'holds no private key', (): void => bench.write({ key: bench.authority.cert })],
    ['tls.key', 'is not the key of the certificate in tls.cert', (): void => bench.write({ key: bench.issue().key })],
    ['tls.ca', 'holds no certificate', (): void => writeFileSync(bench.paths.ca, '')],
  ])('refuses a start: %s %s', (key, reason, spoil) => {
    spoil();
    const open = (): unknown => bench.open({ asksWorkers: true });

    expect(open).toThrow(ConfigError);
    expect(open).toThrow(`${key} is ${JSON.stringify(bench.paths[key.slice(4) as 'ca'])}: ${reason}`);
  });

  it('takes a new certificate only together with its key, in whatever order they come', async () => {
    const files = bench.open({ asksWorkers: false });
    const heard: TlsMaterial[] = [];
    files.onChange((material) => heard.push(material));
    const [second, third] = [bench.issue(), bench.issue()];
    bench.write({ cert: second.cert });
    await bench.files.runOnce();
    await bench.files.runOnce();
    expect(heard).toEqual([]);
    bench.write({ key: second.key });
    await bench.files.runOnce();
    bench.write({ key: third.key });
    await bench.files.runOnce();
    bench.write({ cert: third.cert });
    await bench.files.runOnce();

    expect(heard.map(({ cert }) => cert)).toEqual([second.cert.trimEnd(), third.cert.trimEnd()]);
    expect(files.material.key).toBe(third.key.trimEnd());
    expect(said('warn').filter((text) => /not used yet/.test(String(text)))).toHaveLength(2);
  });

  it('goes on with what it has when a file is gone', async () => {
    const files = bench.open({ asksWorkers: true });
    const before = files.material;
    rmSync(bench.paths.key);
    chmodSync(bench.paths.cert, 0o000);
    await bench.files.runOnce();

    expect(files.material).toBe(before);
    expect(said('error')).not.toEqual([]);
  });

  it.each([
    [20, [], 20],
    [13, ['the certificate in tls.cert expires soon'], 13],
    [-1, ['the certificate in tls.cert has expired: clients and workers will refuse it'], -1],
  ])('says with %i days to go what is to be said, and starts all the same', (days, warnings, left) => {
    bench.write(bench.issue({ notBefore: inDays(-100), notAfter: inDays(days) }));
    const files = bench.open({ asksWorkers: false });

    expect(said('warn')).toEqual(warnings);
    expect(Math.round(files.secondsLeft() / 86_400)).toBe(left);
  });

  it('says that a certificate is not valid yet, and starts all the same', () => {
    bench.write(bench.issue({ notBefore: inDays(1), notAfter: inDays(100) }));
    bench.open({ asksWorkers: false });

    expect(said('warn')).toEqual([expect.stringContaining('is not valid yet')]);
  });
});
