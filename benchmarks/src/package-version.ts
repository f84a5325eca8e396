import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Of a package that is installed here; many do not export their package.json, so it is looked for beside what they do. */
export function versionOfPackage(name: string): string {
  for (let folder = dirname(require.resolve(name)); folder !== dirname(folder); folder = dirname(folder)) {
    const found = readManifest(join(folder, 'package.json'));
    if (found?.name === name && found.version !== undefined) {
      return found.version;
    }
  }
  throw new Error(`no package.json says which version of ${name} is installed`);
}

function readManifest(file: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
  } catch {
    return undefined;
  }
}
