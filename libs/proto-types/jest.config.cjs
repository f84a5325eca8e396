module.exports = { displayName: 'proto-types', preset: '../../jest.preset.cjs' };
