'use strict';

const preset = require('../../jest.preset.cjs');

const [[, swc]] = Object.entries(preset.transform);

/** Published as ES modules only, which jest cannot load: they are transformed like our own sources. */
const MODULES_ONLY = '(?:typebox|content-disposition)';

module.exports = {
  displayName: 'scheduler',
  preset: '../../jest.preset.cjs',
  moduleFileExtensions: [...preset.moduleFileExtensions, 'mjs'],
  transform: { ...preset.transform, [`/node_modules/${MODULES_ONLY}/.+\\.m?js$`]: swc },
  transformIgnorePatterns: [`/node_modules/(?!${MODULES_ONLY}/)`],
};
