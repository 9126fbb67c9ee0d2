import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { CostRecorder, costOf, LongestFirst } from './test/setup/costs.ts';
import { allTests, root, starterOf } from './test/setup/needs.ts';

const isContinuousIntegration = process.env['CI'] !== undefined;
const report: [string, Record<string, unknown>] = ['json', { outputFile: '.meshward/test-report.json' }];
/** What takes longer is not for the inner loop. */
const fastSeconds = 10;
const tests = allTests();
const fast = tests.filter((path) => starterOf(path) === null && costOf(path) <= fastSeconds);
const whole = tests.filter((path) => !fast.includes(path));

// Unit tests stand beside their code; what crosses folders stands in test/.
export default defineConfig({
  test: {
    projects: [
      // They start nothing and leave nothing behind: files share their workers, and modules are loaded once.
      { extends: true, test: { name: 'fast', include: fast, isolate: false } },
      { extends: true, test: { name: 'whole', include: whole } },
    ],
    pool: 'forks',
    // Commands and services are started by the hundred: what Node has compiled once is kept for the next.
    env: { NODE_COMPILE_CACHE: join(root, '.meshward/compile-cache') },
    // Who has started brokers, servers and browsers mostly waits for them.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    // For what hangs, not for what is slow: a busy machine takes ten times as long.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    teardownTimeout: 30_000,
    // Where brokers, servers and kernels share two cores, a second try is allowed; the reporter names each test that took one.
    retry: isContinuousIntegration ? 1 : 0,
    reporters: [
      'default',
      ...(isContinuousIntegration ? [report] : []),
      ...(process.env['MESHWARD_RECORD_COSTS'] === undefined ? [] : [new CostRecorder()]),
    ],
  },
});
