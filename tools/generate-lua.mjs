// Joins every `scripts/*.lua` of a library with the includes it names and writes them, as strings, to `lua.ts` beside
// the folder. A line `--- @include name` is replaced by `scripts/includes/name.lua`. Comments are left out. The result
// is committed; CI runs this again and fails on a difference.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

function scriptFolders(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name === 'scripts')
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .filter((found) => !found.includes('node_modules') && found.includes(`${path.sep}src${path.sep}`));
}

function expand(file, seen = new Set()) {
  return fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const include = /^--- @include ([\w-]+)$/.exec(line);
      if (include) {
        const includes = path.basename(path.dirname(file)) === 'includes' ? '' : 'includes';
        const target = path.join(path.dirname(file), includes, `${include[1]}.lua`);
        if (seen.has(target)) {
          return [];
        }
        seen.add(target);
        return expand(target, seen);
      }
      return /^\s*--/.test(line) || line.trim() === '' ? [] : [line.trim()];
    });
}

const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());

for (const folder of scriptFolders(path.join(root, 'libs'))) {
  const scripts = fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.lua'))
    .sort();
  const body = scripts
    .map((name) => {
      const lines = expand(path.join(folder, name));
      return `export const ${camel(path.basename(name, '.lua'))} = ${JSON.stringify(lines.join('\n'))};`;
    })
    .join('\n\n');
  const out = path.join(path.dirname(folder), 'lua.ts');
  fs.writeFileSync(out, `// Written by tools/generate-lua.mjs from scripts/*.lua. Do not edit.\n\n${body}\n`);
  console.log(`${path.relative(root, out)}: ${scripts.length} scripts`);
}
