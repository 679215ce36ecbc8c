// Tests run on the TypeScript sources: no build is needed, and a stack trace points into packages/*/src.
/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // For what never ends: how fast the machine is is no test.
  testTimeout: 30_000,
  roots: ['<rootDir>/tests'],
  testMatch: ['**/*.test.ts'],
  // 'ts' first: './shape.js' in a source means shape.ts.
  moduleFileExtensions: ['ts', 'mjs', 'js', 'cjs', 'json', 'node'],
  moduleNameMapper: {
    '^tapegrad$': '<rootDir>/packages/tapegrad/src/index.ts',
    '^@tapegrad/([^/]+)$': '<rootDir>/packages/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // These come as ES modules only (linkedom's parts do), and Jest runs CommonJS: their bundles stand for them.
    '^vega$': '<rootDir>/node_modules/vega/build/vega.js',
    '^linkedom$': '<rootDir>/node_modules/linkedom/worker.js',
  },
  modulePathIgnorePatterns: ['<rootDir>/packages/[^/]+/dist/'],
  transformIgnorePatterns: ['/node_modules/(?!(linkedom|vega-interpreter|vega-util)/)'],
  transform: {
    '^.+\\.[jt]s$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'commonjs' },
        jsc: {
          parser: { syntax: 'typescript' },
          target: 'es2022',
          transform: { verbatimModuleSyntax: true },
        },
      },
    ],
  },
  // .ci/run asks for the counts of a run.
  reporters: process.env.JEST_COUNTS
    ? ['default', '<rootDir>/scripts/jest-counts.js']
    : ['default'],
  maxWorkers: '100%',
  coverageProvider: 'v8',
  collectCoverageFrom: ['packages/*/src/**/*.ts'],
};
