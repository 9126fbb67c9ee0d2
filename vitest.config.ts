import { defineConfig } from 'vitest/config';

// One configuration for every test. Unit tests stand beside their code; what crosses folders stands in test/.
export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'native/build/**'],
    pool: 'forks',
    maxWorkers: 2,
    // For what hangs, not for what is slow: a busy machine takes ten times as long.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    teardownTimeout: 30_000,
    // Where brokers, servers and kernels share two cores, a second try is allowed; the reporter names each test that took one.
    retry: process.env['CI'] === undefined ? 0 : 1,
    reporters:
      process.env['CI'] === undefined
        ? ['default']
        : ['default', ['json', { outputFile: '.meshward/test-report.json' }]],
  },
});
