'use strict';

const preset = require('../../jest.preset.cjs');

const [[, swc]] = Object.entries(preset.transform);

/** typebox is published as ES modules only, which jest cannot load: it is transformed like our own sources. */
module.exports = {
  displayName: 'scheduler',
  preset: '../../jest.preset.cjs',
  moduleFileExtensions: [...preset.moduleFileExtensions, 'mjs'],
  transform: { ...preset.transform, '/node_modules/typebox/.+\\.mjs$': swc },
  transformIgnorePatterns: ['/node_modules/(?!typebox/)'],
};
