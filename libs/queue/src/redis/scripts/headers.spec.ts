import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SCRIPTS = readdirSync(__dirname)
  .filter((name) => name.endsWith('.lua'))
  .map((name) => name.slice(0, -'.lua'.length));
/** Made of others' work, refused first in a full Redis; everything else has to work there. */
const MAKES_WORK = ['enqueue', 'retry'];
/** For people, who ask also where nothing can be written. */
const ONLY_READS = ['counts'];
const flagsOf = (name: string): string =>
  MAKES_WORK.includes(name) ? '' : ONLY_READS.includes(name) ? ' flags=no-writes,allow-oom' : ' flags=allow-oom';
const STATES = '(?:none|nothing|blocked|scheduled|queued|running|succeeded|failed|cancelled|skipped)';

/** The contract of a script is its header: it is read by people, so what can be checked of it is checked here. */
describe.each(SCRIPTS)('the header of %s.lua', (name) => {
  const lua = readFileSync(join(__dirname, `${name}.lua`), 'utf8');
  const lines = lua.split('\n');
  const header = lines
    .slice(
      1,
      lines.findIndex((line, i) => i > 0 && !/^-- /.test(line)),
    )
    .join('\n');
  const wrapper = readFileSync(join(__dirname, `${name}.ts`), 'utf8');
  const isPoolScript = lua.includes('--- @include pool');

  it('says whether it is allowed in a full Redis', () => {
    expect(lines[0]).toBe(`#!lua${flagsOf(name)}`);
  });

  it('says what it does, what it is given and what it returns', () => {
    expect(header).toMatch(/^-- [A-Z]/);
    expect(header).toMatch(/\bReturns\b/);
    expect(header).toMatch(/ARGV\[|KEYS\[1\]/);
  });

  it('says which state becomes which, in the words of the table', () => {
    const moves = /\b(finish|release|lose|fail|postpone|enqueueAgain|promoteDue|removeJobs)\(|base \.\. state/.test(
      lua,
    );
    const says = new RegExp(`${STATES}[)]?(?:,[^.]*)? -> [(]?${STATES}`).test(header);

    expect({ moves, says: says || !moves }).toEqual({ moves, says: true });
  });

  it('names every code that its wrapper or its caller is answered', () => {
    const codes = [...lua.matchAll(/reply\[[^\]]+\] = (?:[\w.]+ and )?'([a-z_]{3,})'/g)].map(
      (match) => match[1] as string,
    );
    const errors = [...lua.matchAll(/error_reply\('([A-Z_]+) /g)].map((match) => match[1] as string);

    expect([...codes, ...errors].filter((code) => !header.includes(code))).toEqual([]);
  });

  it('is called by the wrapper of its name, and the wrapper by its name', () => {
    expect(wrapper).toContain(`name: '${name}'`);
    expect(wrapper).toContain(isPoolScript ? 'definePoolScript<' : 'defineScript<');
  });
});

it('every script has its wrapper and its test', () => {
  const files = readdirSync(__dirname);
  const shared = ['to-recovery.ts', 'wait.ts', 'with-random.ts', 'headers.spec.ts'];
  const tested = SCRIPTS.filter((name) => !['replace-value', 'seal-batch'].includes(name)); // idempotency-keys, batches
  const expected = [...SCRIPTS.map((name) => `${name}.ts`), ...tested.map((name) => `${name}.int.spec.ts`), ...shared];

  expect(files.filter((name) => name.endsWith('.ts')).sort()).toEqual(expected.sort());
});
