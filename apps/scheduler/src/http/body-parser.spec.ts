import { parseBody } from './body-parser.js';
import { ProblemError } from './problem.js';

const parse = (text: string): unknown => parseBody(Buffer.from(text));

describe('parseBody', () => {
  it.each([
    '{"a":[1,2.5,-1e3,true,null,"x"],"b":{"c":"\\u00fc\\n\\\\\\""}}',
    '{"brackets":"[[[[{{{{:::\\"[["}',
    '"\\\\"',
    ' [ ] ',
    '{"a":1,"a":2}',
    `${'['.repeat(64)}${']'.repeat(64)}`,
    JSON.stringify('['.repeat(100)),
  ])('reads %s as JSON does', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it('answers undefined for nothing', () => {
    expect(parse('')).toBeUndefined();
  });

  it.each([
    ['65 levels', `${'['.repeat(65)}${']'.repeat(65)}`],
    ['no JSON', '{a:1}'],
    ['an open text', '{"a'],
    ['an open text with an escape', '"\\"'],
    ['half a pair in a name', '{"\\udfff":1}'],
  ])('refuses %s', (_name, text) => {
    expect(() => parse(text)).toThrow(ProblemError);
  });

  it('never quotes the body', () => {
    expect(() => parse('{"secret": hunter2}')).toThrow(/^(?!.*hunter2).*not valid JSON/);
  });

  it('bounds the number of keys before it builds anything', () => {
    expect(() => parseBody(Buffer.from('{"a":1,"b":2}'), { maxDepth: 5, maxKeys: 1 })).toThrow(/more than 1 keys/);
  });
});
