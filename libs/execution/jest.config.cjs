module.exports = {
  displayName: 'execution',
  preset: '../../jest.preset.cjs',
  // The executor, its guard and the handlers' thread run from what is built.
  globalSetup: './jest-global-setup.cjs',
};
