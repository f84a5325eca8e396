'use strict';

const { execFileSync } = require('node:child_process');

/** Builds this library: the executor's entry points are programs of their own. Other projects' tests may use it, too. */
module.exports = () => {
  const compiler = require.resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-b', `${__dirname}/tsconfig.lib.json`], { stdio: 'inherit' });
};
