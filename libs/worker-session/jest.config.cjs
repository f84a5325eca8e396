module.exports = { displayName: 'worker-session', preset: '../../jest.preset.cjs' };
