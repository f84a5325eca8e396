import { Writable } from 'node:stream';

import { type Clock, systemClock } from '@orchestrator/core';

import { createLogger, type CreateLoggerOptions, silentLogger } from './index.js';

/** A stream that remembers, and that can be stalled. */
function aStream(): { stream: Writable; text(): string; lines(): string[]; stall(): void; resume(): void } {
  const chunks: string[] = [];
  let waiting: (() => void) | undefined;
  let stalled = false;
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      chunks.push(String(chunk));
      if (stalled) {
        waiting = done;
      } else {
        done();
      }
    },
  });
  return {
    stream,
    text: () => chunks.join(''),
    lines: () => chunks.join('').split('\n').slice(0, -1),
    stall: () => (stalled = true),
    resume: () => {
      stalled = false;
      waiting?.();
    },
  };
}

function setup(options: Partial<CreateLoggerOptions> = {}): ReturnType<typeof aStream> & {
  logger: ReturnType<typeof createLogger>;
} {
  const out = aStream();
  const logger = createLogger({ level: 'debug', format: 'json', stream: out.stream, ...options });
  return { ...out, logger };
}

describe('createLogger', () => {
  it('writes one JSON object a line with time, level, message and fields', () => {
    const { logger, lines } = setup({ fields: { scheduler: 's1' } });

    logger.child({ component: 'http' }).info('job was queued', { job: 'default:1', n: 3 });

    const line = JSON.parse(lines()[0] ?? '') as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'info', message: 'job was queued', scheduler: 's1', component: 'http', n: 3 });
    expect(line['time']).toMatch(/^\d{4}-.*Z$/);
  });

  it('writes for people in pretty, without colours where there is no terminal', () => {
    const { logger, text } = setup({ format: 'pretty' });

    logger.warn('worker is silent', { worker: 'w-1', note: 'two words' });

    expect(text()).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}worker is silent worker=w-1 note="two words"\n$/);
  });

  it('leaves out what is below its level', () => {
    const { logger, lines } = setup({ level: 'warn' });

    logger.info('no');
    logger.error('yes');

    expect(lines()).toHaveLength(1);
  });

  it('masks secrets by the name of their field and by their value, also inside errors and addresses', () => {
    const { logger, text } = setup({ secrets: ['hunter2"x', 'abc'] });

    logger.error('it failed', {
      joinToken: 'secret-1',
      nested: { password: 'secret-2', authorization: 'Bearer secret-3' },
      env: { KEY: 'secret-4' },
      error: new Error('cannot use hunter2"x'),
      url: 'redis://me:secret-5@host:1/0',
      text: 'abcdef',
    });

    expect(text()).not.toMatch(/secret-|hunter2/);
    expect(text()).toContain('abcdef');
    expect(text()).toContain('redis://[redacted]@host:1/0');
  });

  it.each(['json', 'pretty'] as const)('lets no field break out of its line in %s', (format) => {
    const { logger, text } = setup({ format });

    logger.info('name', { name: 'a\r\nb\x1b[31mc\x7f\x9b\u2028d', 'k\ney': 1, time: 'forged', message: 'forged' });

    expect(text().trimEnd()).toMatch(/^[\x20-\x7e]*$/);
    expect(text().match(/\n/g)).toHaveLength(1);
  });

  it('masks what became known as secret later, and what was one before', () => {
    const { logger, text } = setup({ secrets: ['hunter2'] });
    logger.info('before', { note: 'hunter3 hunter3-and-more' });
    logger.mask(['hunter3']);
    logger.mask(['hunter3-and-more', 'a "b"']);
    logger
      .child({ own: 'hunter3' })
      .info('after', { note: 'hunter2 hunter3 hunter3-and-more', json: '{"a \\"b\\"":1}' });

    const [before, after] = text().split('\n');
    expect(before).toContain('hunter3');
    expect(after).toContain('"note":"[redacted] [redacted] [redacted]"');
    expect(after).not.toMatch(/hunter|b\\/);
  });

  it('tells the stack of an error only at level error', () => {
    const { logger, lines } = setup();
    const error = new Error('outer', { cause: new Error('inner') });

    logger.warn('again', { error });
    logger.error('at last', { error });

    expect(lines()[0]).toContain('inner');
    expect(lines()[0]).not.toContain('stack');
    expect(lines()[1]).toContain('create-logger.spec');
  });

  it('writes what cannot be JSON', () => {
    const { logger, lines } = setup();
    const loop: Record<string, unknown> = { big: 10n, bytes: Buffer.from('abc'), when: new Date(Number.NaN) };
    loop['self'] = loop;

    logger.info('odd', { loop, undefined, f: () => 1, s: 'x'.repeat(100_000) });

    expect(lines()[0]?.length).toBeLessThan(10_000);
    expect(JSON.parse(lines()[0] ?? '')).toMatchObject({ loop: { big: '10', bytes: '[3 bytes]', when: null } });
  });

  it('drops and counts lines while its reader is stalled, and says so afterwards', () => {
    const { logger, stream, text, stall, resume } = setup({ maxBufferedBytes: 10_000 });
    stall();

    for (let i = 0; i < 1_000; i += 1) {
      logger.info('line', { i, padding: 'x'.repeat(100) });
    }
    const buffered = stream.writableLength;
    resume();
    logger.info('after');

    expect(buffered).toBeLessThan(11_000);
    expect(logger.dropped).toBeGreaterThan(900);
    expect(text()).toContain(`"dropped":${logger.dropped}`);
    expect(text()).toContain('"after"');
  });

  it('has written everything when flush resolves', async () => {
    const { logger, lines, stall, resume } = setup();
    stall();
    for (let i = 0; i < 100; i += 1) {
      logger.info('line', { i });
    }

    const closing = logger.close();
    resume();
    await closing;
    logger.info('too late');

    expect(lines()).toHaveLength(100);
  });

  it('survives a stream that fails', async () => {
    const { logger, stream } = setup();
    stream.destroy(new Error('EPIPE'));

    logger.info('nobody reads this');
    await logger.close();

    expect(logger.dropped).toBe(1);
  });
});

describe('gathering', () => {
  const turn = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
  const hostile: Record<string, unknown>[] = [
    { name: 'a\r\nb\x1b[31mc\x7f\x9b\u2028d\ud800', 'k\ney': 1, time: 'forged', message: 'forged', level: 1 },
    { token: 'one', nested: { password: 'two', env: { A: 'b' } }, url: 'redis://me:five@host:1/0', s: 'my hunter2' },
    { big: 10n, bytes: Buffer.from('abc'), when: new Date(NaN), f: () => 1, n: NaN, none: undefined, no: null },
    { error: new Error('outer hunter2', { cause: new Error('inner') }), deep: [[[[[[[1]]]]]]], 'hunter2 key': true },
    { ...(JSON.parse('{"__proto__": {"hunter2": "x"}, "2": "b", "1": "a"}') as object), map: new Map([['token', 1]]) },
    { scheduler: 'another', text: 'x'.repeat(10_000), list: Array.from({ length: 200 }, (_, i) => i) },
    {},
  ];

  it.each(['json', 'pretty'] as const)('writes the very lines that are written one by one, in %s', async (format) => {
    const clock: Clock = { ...systemClock, wallMs: () => 1_770_000_000_007 };
    const { logger, lines } = setup({ format, clock, secrets: ['hunter2'], fields: { scheduler: 's1' } });
    const [plain, gathering] = [logger.child({ component: 'audit' }), logger.gathering({ component: 'audit' })];

    hostile.forEach((fields) => plain.info('audit', fields));
    hostile.forEach((fields) => gathering.info('audit', fields));
    await turn();

    expect(lines()).toHaveLength(2 * hostile.length);
    expect(lines().slice(hostile.length)).toEqual(lines().slice(0, hostile.length));
    expect(lines().join('\n')).not.toMatch(/hunter2|five/);
  });

  it('writes the lines of a turn at once when it ends, and before any other line', async () => {
    const { logger, stream, lines } = setup();
    const writes = jest.spyOn(stream, 'write');
    const gathering = logger.gathering({});

    gathering.info('1');
    gathering.info('2');
    expect(lines()).toEqual([]);
    logger.warn('3');
    gathering.info('4');
    gathering.child({ of: 'a child' }).info('5');
    await turn();

    expect(lines().map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(['1', '2', '3', '4', '5']);
    expect(writes).toHaveBeenCalledTimes(3);
  });

  it('leaves out what is below its level, and masks what became secret meanwhile', async () => {
    const { logger, text } = setup({ level: 'info' });
    const gathering = logger.gathering({});

    gathering.debug('no');
    gathering.info('before', { note: 'hunter3', 'hunter3 key': 1 });
    logger.mask(['hunter3']);
    gathering.info('after', { note: 'hunter3', 'hunter3 key': 1 });
    await turn();

    expect(text().match(/hunter3/g)).toHaveLength(2);
    expect(text()).not.toContain('"no"');
  });

  it('drops and counts each line while its reader is stalled, and has written the others when it is closed', async () => {
    const { logger, lines, stall, resume } = setup({ maxBufferedBytes: 10_000 });
    const gathering = logger.gathering({});
    stall();
    for (let i = 0; i < 1_000; i += 1) {
      gathering.info('line', { i, padding: 'x'.repeat(100) });
    }
    const { dropped } = logger;
    const closing = logger.close();
    resume();
    await closing;

    expect(dropped).toBeGreaterThan(900);
    expect(lines().filter((line) => line.includes('"line"'))).toHaveLength(1_000 - dropped);
    expect(lines().filter((line) => line.includes(`"dropped":${dropped}`))).toHaveLength(1);
  });
});

describe('silentLogger', () => {
  it('says nothing, and neither do its children', () => {
    expect(() => silentLogger.child({ a: 1 }).info('nothing')).not.toThrow();
  });
});
