module.exports = { displayName: 'lock', preset: '../../jest.preset.cjs' };
