module.exports = { displayName: 'heartbeat', preset: '../../jest.preset.cjs' };
