// The rules of the code that a machine can check. Layers are the `nx.tags` of each package.json; the table is repeated
// in CONTRIBUTING.md. What is switched off or allowed for some files says why.
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

const SPECS = ['**/*.spec.ts', '**/testing/**/*.ts'];
const PRODUCT = ['libs/*/src/**/*.ts', 'apps/*/src/**/*.ts'];

/** What only one place constructs or opens; a layer names what it must not. */
const SERVERS = ['fastify', '@fastify/*'];
const PROGRAM = ['winston', 'convict'];
const TRANSPORT = ['nice-grpc', '@grpc/grpc-js'];

const below = {
  contract: [],
  platform: ['contract'],
  coordination: ['contract', 'platform'],
  feature: ['contract', 'platform', 'coordination'],
  engine: ['contract', 'platform', 'coordination', 'feature'],
  app: ['contract', 'platform', 'coordination', 'feature', 'engine'],
};

/** `itself`: may libraries of this layer use each other? Features may not: it keeps them replaceable. */
const layer = (name, { itself, banned }) => ({
  sourceTag: `layer:${name}`,
  onlyDependOnLibsWithTags: [...below[name], ...(itself ? [name] : []), 'testing'].map((tag) => `layer:${tag}`),
  bannedExternalImports: banned,
});

const depConstraints = [
  layer('contract', { itself: true, banned: [...SERVERS, ...PROGRAM, ...TRANSPORT, 'ioredis'] }),
  layer('platform', { itself: true, banned: [...SERVERS, ...TRANSPORT] }),
  layer('coordination', { itself: false, banned: [...SERVERS, ...PROGRAM, ...TRANSPORT] }),
  layer('feature', { itself: false, banned: [...SERVERS, ...PROGRAM, ...TRANSPORT] }),
  layer('engine', { itself: true, banned: [...SERVERS, ...PROGRAM] }),
  layer('app', { itself: false, banned: PROGRAM }),
  { sourceTag: 'layer:testing', onlyDependOnLibsWithTags: ['layer:contract'] },
  { sourceTag: 'layer:outside', onlyDependOnLibsWithTags: ['publish:npm', 'layer:testing', 'layer:outside'] },
  { sourceTag: 'publish:npm', onlyDependOnLibsWithTags: ['publish:npm', 'layer:testing'] },
];

const CLOCKS = [
  ['Date', 'now'],
  ['performance', 'now'],
].map(([object, property]) => ({
  object,
  property,
  message: 'Time comes in through the constructor: take a Clock of @orchestrator/core.',
}));

const TIMERS = ['setTimeout', 'setInterval'].map((name) => ({
  name,
  message: 'Take a Clock of @orchestrator/core and use clock.setTimer.',
}));

const ENVIRONMENT = {
  object: 'process',
  property: 'env',
  message: 'Only apps/*/src/{config,main}.ts read the environment.',
};

const RANDOM = {
  object: 'Math',
  property: 'random',
  message: 'Randomness comes in through the constructor: take a Random of @orchestrator/core.',
};

/** Processes of their own: they have no constructor through which a clock or an environment could come in. */
const PROGRAMS = ['apps/*/src/{config,main}.ts', 'libs/execution/src/process/**/*.ts'];

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/dist-spec/**',
      '**/generated/**',
      '**/lua.ts',
      '**/*.cjs',
      '.nx/**',
      '.orchestrator/**',
    ],
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { '@nx': nx },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      curly: 'error',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 400, skipComments: true }],
      'no-console': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // A method of a port may be asynchronous in one implementation only.
      '@typescript-eslint/require-await': 'off',
      // Numbers in messages are what they are for; objects and unknowns stay forbidden.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@nx/enforce-module-boundaries': [
        'error',
        { enforceBuildableLibDependency: false, banTransitiveDependencies: true, allow: [], depConstraints },
      ],
    },
  },
  {
    files: PRODUCT,
    ignores: SPECS,
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: [{ name: '@orchestrator/testing', message: 'Test helpers are for *.spec.ts only.' }],
          patterns: [{ group: ['@orchestrator/*/src/*', '@orchestrator/*/dist/*'], message: 'Import the package.' }],
        },
      ],
      'no-restricted-properties': ['error', ...CLOCKS, ENVIRONMENT, RANDOM],
      'no-restricted-globals': ['error', ...TIMERS],
    },
  },
  {
    files: ['libs/core/src/{clock,random}.ts', 'libs/testing/src/**/*.ts', ...PROGRAMS],
    rules: { 'no-restricted-properties': 'off', 'no-restricted-globals': 'off', 'no-console': 'off' },
  },
  {
    files: SPECS,
    rules: {
      // JSON bodies and mocks of callbacks are checked by what the test asserts.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.mjs'],
    extends: [tseslint.configs.base],
    rules: { curly: 'error', eqeqeq: 'error', 'max-lines': ['error', { max: 400, skipComments: true }] },
  },
  prettier,
  // eslint-config-prettier switches `curly` off, for its two styles that fight with prettier; "all" does not.
  { rules: { curly: ['error', 'all'] } },
);
