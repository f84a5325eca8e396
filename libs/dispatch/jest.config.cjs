module.exports = { displayName: 'dispatch', preset: '../../jest.preset.cjs' };
