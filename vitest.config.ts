import { defineConfig } from 'vitest/config';

// One configuration for every test. Unit tests stand beside their code; what crosses folders stands in test/.
export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'native/build/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    reporters:
      process.env['CI'] === undefined
        ? ['default']
        : ['default', ['json', { outputFile: '.meshward/test-report.json' }]],
  },
});
