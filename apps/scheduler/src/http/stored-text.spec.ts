import { lastLines, OutputReader, toBytes } from './stored-text.js';

const chunk = (stream: 'stdout' | 'stderr', offset: number, data: string | Buffer, sequence = offset) => ({
  stream,
  offset,
  sequence,
  data: Buffer.from(data),
});

describe('toBytes', () => {
  it('says where something was cut out', () => {
    const text = toBytes(
      { chunks: [chunk('stdout', 0, 'head'), chunk('stderr', 0, 'e'), chunk('stdout', 100, 'tail')] },
      undefined,
    );

    expect(text.toString()).toBe('heade\n[… 96 bytes of stdout left out …]\ntail');
  });

  it('leaves every byte as it is, wherever chunks begin', () => {
    const bytes = Buffer.from([
      0x61, 0, 0x1b, 0x5b, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0x80, 0xe2, 0x82,
    ]);
    for (let at = 1; at < bytes.length; at += 1) {
      const chunks = [chunk('stdout', 0, bytes.subarray(0, at)), chunk('stdout', at, bytes.subarray(at))];

      expect(toBytes({ chunks }, undefined)).toEqual(bytes);
    }
  });

  it('puts no byte of the other stream into a character', () => {
    const euro = Buffer.from('€');
    const chunks = [
      chunk('stdout', 0, euro.subarray(0, 2)),
      chunk('stderr', 0, 'e'),
      chunk('stdout', 2, euro.subarray(2)),
    ];

    expect(toBytes({ chunks }, undefined).toString()).toBe('e€');
  });
});

describe('OutputReader', () => {
  it('tells each byte once while the output grows, and never half a character', () => {
    const reader = new OutputReader(undefined);
    const euro = Buffer.from('€');

    const first = reader.take({ chunks: [chunk('stdout', 0, Buffer.concat([Buffer.from('a'), euro.subarray(0, 2)]))] });
    const second = reader.take({
      chunks: [chunk('stdout', 0, Buffer.concat([Buffer.from('a'), euro])), chunk('stderr', 0, 'e')],
    });

    expect(first.map(({ data }) => data.toString())).toEqual(['a']);
    expect(second.map(({ stream, data, offset }) => [stream, data.toString(), offset])).toEqual([
      ['stdout', '€', 3],
      ['stderr', 'e', 0],
    ]);
    expect(reader.take({ chunks: [chunk('stdout', 0, 'a€')] })).toEqual([]);
  });
});

describe('lastLines', () => {
  it.each([
    ['a\nb\nc\n', 2, 'b\nc\n'],
    ['a\nb\nc', 2, 'b\nc'],
    ['a\nb\nc\n', 9, 'a\nb\nc\n'],
    ['a\n\n\n', 2, '\n\n'],
    ['', 3, ''],
    ['\n', 1, '\n'],
    ['abc', 1, 'abc'],
    ['a\nb\n', 0, ''],
  ])('of %j, %i, are %j', (text, lines, expected) => {
    expect(lastLines(Buffer.from(text), lines).toString()).toBe(expected);
  });
});
