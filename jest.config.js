// Tests run the sources themselves (swc strips the types); programs that a test starts and kills run from dist.
/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/tests'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  globalSetup: '<rootDir>/tests/support/servers.ts',
  globalTeardown: '<rootDir>/tests/support/servers-down.ts',
  testTimeout: 60_000,
  // Much of a test is waiting: three at a time keep two cores busy.
  maxWorkers: 3,
};
