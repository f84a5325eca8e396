import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { ROOT } from './harness/program.js';

interface Manifest {
  dependencies?: Record<string, string>;
  nx: { tags: string[] };
}

const PROMISED = ['queue', 'lock', 'heartbeat', 'proto-types'];
const SCOPE = '@orchestrator/';
const PACKED_WITHIN_MS = 120_000;
const COMPILED_WITHIN_MS = 120_000;

function manifestOf(lib: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, 'libs', lib, 'package.json'), 'utf8')) as Manifest;
}

/** These libraries and those of ours that they need. */
function withDependencies(libs: string[]): string[] {
  const found = new Set<string>();
  const add = (lib: string): void => {
    if (!found.has(lib)) {
      found.add(lib);
      Object.keys(manifestOf(lib).dependencies ?? {})
        .filter((name) => name.startsWith(SCOPE))
        .forEach((name) => add(name.slice(SCOPE.length)));
    }
  };
  libs.forEach(add);
  return [...found];
}

/** The packages as npm would publish them, in a project that has nothing but them and what they say they need. */
describe('the published packages', () => {
  const libs = withDependencies(PROMISED);
  let project: string;

  const link = (name: string): void => {
    const target = join(project, 'node_modules', name);
    mkdirSync(dirname(target), { recursive: true });
    rmSync(target, { force: true });
    symlinkSync(join(ROOT, 'node_modules', name), target);
  };
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { cwd: project, encoding: 'utf8', env: { PATH: process.env['PATH'] } });

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), 'orchestrator-packages-'));
    for (const lib of libs) {
      const folder = join(project, 'node_modules', SCOPE, lib);
      mkdirSync(folder, { recursive: true });
      const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', project];
      execFileSync('npm', pack, { cwd: join(ROOT, 'libs', lib), stdio: ['ignore', 'ignore', 'inherit'] });
      run('tar', 'xzf', join(project, `orchestrator-${lib}-0.1.0.tgz`), '-C', folder, '--strip-components=1');
      Object.keys(manifestOf(lib).dependencies ?? {})
        .filter((name) => !name.startsWith(SCOPE))
        .forEach(link);
    }
  }, PACKED_WITHIN_MS);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it('depend on published ones only, and hold no tests', () => {
    const files = run('find', 'node_modules/@orchestrator', '-type', 'f').split('\n');

    expect(libs.filter((lib) => !manifestOf(lib).nx.tags.includes('publish:npm'))).toEqual([]);
    expect(files.filter((file) => /\.spec\.|\/testing\/|\.tsbuildinfo$|\/src\//.test(file))).toEqual([]);
  });

  it.each(libs)('%s can be required and imported', (lib) => {
    const name = `${SCOPE}${lib}`;
    const required = run('node', '-p', `Object.keys(require('${name}')).sort().join()`).trim();
    const source = `import * as all from '${name}'; console.log(Object.keys(all).sort().join())`;
    const imported = run('node', '--input-type=module', '-e', source).trim().split(',');

    expect(required).not.toBe('');
    expect(required.split(',').filter((key) => !imported.includes(key))).toEqual([]);
  });

  it(
    'have types that a strict project accepts',
    () => {
      link('@types/node');
      link('undici-types');
      const imports = libs.map((lib, i) => `import * as lib${i} from '${SCOPE}${lib}';`);
      const uses = [
        "import { Queue } from '@orchestrator/queue';",
        "const queue = new Queue({ redis: 'redis://127.0.0.1:6379' });",
        "export const id: Promise<string> = queue.add('greet', { command: 'echo hello' });",
        `export const all = [${libs.map((_, i) => `lib${i}`).join()}];`,
      ];
      writeFileSync(join(project, 'use.ts'), [...imports, ...uses].join('\n'));

      const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
      for (const module of [
        ['--module', 'nodenext'],
        ['--skipLibCheck', '--module', 'esnext', '--moduleResolution', 'bundler'],
      ]) {
        run(tsc, '--noEmit', '--strict', '--types', 'node', ...module, 'use.ts');
      }
    },
    COMPILED_WITHIN_MS,
  );
});
