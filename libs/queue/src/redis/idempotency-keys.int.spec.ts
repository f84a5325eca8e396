import { CorruptRecordError } from '../errors.js';
import type { IdempotencyRecord } from '../store.js';
import { type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';
import { IDEMPOTENCY_KEPT_MS } from './idempotency-keys.js';

const record = (id: string): IdempotencyRecord => ({ bodyHash: `hash-of-${id}`, ids: [id], createdAt: 1 });

describe('idempotency keys', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
  });
  afterEach(() => q.assertInvariants());
  afterAll(() => bench.stop());

  const stored = async (): Promise<string> => {
    const keys = await q.redis.keys(q.keys.idempotency('*').replace('{', '[{]'));
    expect(keys).toHaveLength(1);
    return keys[0] ?? '';
  };

  it('writes the first record and answers it from then on', async () => {
    expect(await q.store.beginIdempotent('key', record('a'))).toEqual({ record: record('a'), created: true });
    expect(await q.store.beginIdempotent('key', record('b'))).toEqual({ record: record('a'), created: false });
    expect(await q.store.beginIdempotent('another', record('b'))).toEqual({ record: record('b'), created: true });
  });

  it('recognises its own record when it is sent twice', async () => {
    await q.store.beginIdempotent('key', record('a'));

    expect((await q.store.beginIdempotent('key', record('a'))).created).toBe(true);
  });

  it('lets one of many who begin at once win, and all see the same', async () => {
    const begun = await Promise.all(
      Array.from({ length: 20 }, (_, i) => q.another().beginIdempotent('key', record(`${i}`))),
    );

    expect(begun.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(begun.map((one) => one.record.ids[0])).size).toBe(1);
  });

  it('keeps the first answer, for as long as the record had left', async () => {
    await q.store.beginIdempotent('key', record('a'));
    await q.redis.pexpire(await stored(), 60_000);

    await q.store.finishIdempotent('key', '{"id":"ü"}');
    await q.store.finishIdempotent('key', 'another');

    const { record: standing } = await q.store.beginIdempotent('key', record('b'));
    expect(standing).toEqual({ ...record('a'), answer: '{"id":"ü"}' });
    expect(await q.redis.pttl(await stored())).toBeLessThanOrEqual(60_000);
  });

  it('expires after a day, and completes nothing then', async () => {
    await q.store.beginIdempotent('key', record('a'));
    const left = await q.redis.pttl(await stored());
    expect(left).toBeLessThanOrEqual(IDEMPOTENCY_KEPT_MS);
    expect(left).toBeGreaterThan(IDEMPOTENCY_KEPT_MS - 60_000);
    await q.redis.del(await stored());

    await q.store.finishIdempotent('key', 'late');

    expect((await q.store.beginIdempotent('key', record('b'))).created).toBe(true);
  });

  it('puts no part of what a user chose into the name', async () => {
    await q.store.beginIdempotent('{x}\r\n../*', record('a'));

    expect(await stored()).toMatch(/\{[0-9a-f]{64}\}$/);
  });

  it('names a record that is damaged', async () => {
    await q.store.beginIdempotent('key', record('a'));
    await q.redis.set(await stored(), 'damaged');

    await expect(q.store.beginIdempotent('key', record('a'))).rejects.toThrow(CorruptRecordError);
  });
});
