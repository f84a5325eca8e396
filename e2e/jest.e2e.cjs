module.exports = { displayName: 'e2e', preset: '../jest.preset.cjs', rootDir: '.', testTimeout: 360_000 };
