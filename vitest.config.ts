import { defineConfig } from 'vitest/config';

const long = process.env['FENGHUO_TEST_LONG'] === '1';

export default defineConfig({
  test: {
    // `npm test` runs everything but what takes minutes; `npm run test:long` runs just that.
    include: long ? ['**/*.long.test.ts'] : ['**/*.test.ts'],
    exclude: ['node_modules/**', ...(long ? [] : ['**/*.long.test.ts'])],
    globalSetup: ['test/global-setup.ts'],
    // Temporal's worker and the bundler are native and stateful: processes, not threads.
    pool: 'forks',
    maxWorkers: 2,
    // A cell that lost its workflow without mail is looked at again after a minute: deadlines of tests must leave room for it.
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});
