import { Writable } from 'node:stream';

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
      joinToken: 'one',
      nested: { password: 'two', authorization: 'Bearer three' },
      env: { KEY: 'four' },
      error: new Error('cannot use hunter2"x'),
      url: 'redis://me:five@host:1/0',
      text: 'abcdef',
    });

    expect(text()).not.toMatch(/one|two|three|four|hunter2|five/);
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

describe('silentLogger', () => {
  it('says nothing, and neither do its children', () => {
    expect(() => silentLogger.child({ a: 1 }).info('nothing')).not.toThrow();
  });
});
