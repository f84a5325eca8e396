// node docker/gather.mjs apps/worker /out: copies into /out what this program loads when it runs, and nothing else: its
// own dist, those of our libraries that it uses, the packages that they depend on, all where they are in the checkout.
// `npm prune --omit=dev` would keep what any program of the workspace depends on, and the tests' libraries.
import fs from 'node:fs';
import path from 'node:path';

const [program, target] = process.argv.slice(2);
const root = process.cwd();
/** Types and sources, what maps packages, and what the compiler knows. Our own maps stay: they name lines in logs. */
const NEVER_LOADED = /\.[cm]?ts(\.map)?$|\.tsbuildinfo$/;
const MAP_OF_PACKAGE = /\/node_modules\/.*\.map$/;
const TYPES_ONLY = '@types/';

const gathered = new Set();

function gather(folder) {
  const place = path.relative(root, folder);
  if (gathered.has(place)) {
    return;
  }
  gathered.add(place);
  const isOurs = !place.startsWith('node_modules') && !place.includes('/node_modules/');
  if (isOurs) {
    copy(path.join(folder, 'package.json'));
    copy(path.join(folder, 'dist'));
  } else {
    copy(folder, (file) => !file.startsWith(path.join(folder, 'node_modules')));
  }
  const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = readManifest(folder);
  // What is optional is missed by nobody, by its own word; what is there of it is large and never loaded.
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  for (const name of [...Object.keys(dependencies), ...peers].filter((name) => !name.startsWith(TYPES_ONLY))) {
    gather(resolve(name, folder));
  }
}

/** As Node looks for it; a link to one of our libraries is copied as a link. */
function resolve(name, from) {
  for (let folder = from; folder.startsWith(root); folder = path.dirname(folder)) {
    const found = path.join(folder, 'node_modules', name);
    if (fs.existsSync(path.join(found, 'package.json'))) {
      const real = fs.realpathSync(found);
      if (real !== found) {
        link(found, real);
      }
      return real;
    }
  }
  throw new Error(`${name}, of which ${from} depends, is not installed`);
}

function link(from, to) {
  const place = path.join(target, path.relative(root, from));
  fs.mkdirSync(path.dirname(place), { recursive: true });
  if (!fs.lstatSync(place, { throwIfNoEntry: false })) {
    fs.symlinkSync(path.relative(path.dirname(from), to), place);
  }
}

function copy(from, isWanted = () => true) {
  fs.cpSync(from, path.join(target, path.relative(root, from)), {
    recursive: true,
    filter: (file) => isWanted(file) && !NEVER_LOADED.test(file) && !MAP_OF_PACKAGE.test(file),
  });
}

function readManifest(folder) {
  return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
}

gather(path.join(root, program));
console.log(`${program}: ${gathered.size} packages`);
