import { lastLines, OutputReader, toText } from './stored-text.js';

const chunk = (stream: 'stdout' | 'stderr', offset: number, data: string | Buffer, sequence = offset) => ({
  stream,
  offset,
  sequence,
  data: Buffer.from(data),
});

describe('toText', () => {
  it('says where something was cut out', () => {
    const text = toText(
      { chunks: [chunk('stdout', 0, 'head'), chunk('stderr', 0, 'e'), chunk('stdout', 100, 'tail')] },
      undefined,
    );

    expect(text).toBe('heade\n[… 96 bytes of stdout left out …]\ntail');
  });

  it('makes text of any bytes', () => {
    expect(toText({ chunks: [chunk('stdout', 0, Buffer.from([0x61, 0xff, 0xe2, 0x82]))] }, undefined)).toBe(
      'a\ufffd\ufffd',
    );
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

    expect(first.map(({ text }) => text)).toEqual(['a']);
    expect(second.map(({ stream, text, offset }) => [stream, text, offset])).toEqual([
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
    expect(lastLines(text, lines)).toBe(expected);
  });
});
