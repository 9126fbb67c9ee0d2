/**
 * Everything that must hold, one step after the other: types, lint, format, generated files, then every test.
 * `npm test -- PATH` runs only the tests below PATH.
 */
import { spawnSync } from 'node:child_process';
import { installKafka } from './kafka/install.ts';
import { installChromium } from './setup/chromium.ts';
import { installTahoe } from './tahoe-grid/install.ts';

interface Step {
  readonly name: string;
  readonly run: () => boolean | Promise<boolean>;
}

function command(name: string, ...argv: string[]): boolean {
  const { status } = spawnSync(name, argv, { stdio: 'inherit' });
  return status === 0;
}

const paths = process.argv.slice(2);

const steps: readonly Step[] = [
  { name: 'types', run: () => command('tsc', '-p', '.') },
  { name: 'lint', run: () => command('oxlint', '--type-aware', '--deny-warnings') },
  { name: 'format', run: () => command('biome', 'check', '.') },
  { name: 'generated files', run: () => command('node', 'test/setup/generated.ts') },
  {
    name: 'what the tests need',
    run: async () => {
      await installTahoe();
      await installKafka();
      installChromium();
      return true;
    },
  },
  { name: 'tests', run: () => command('vitest', 'run', ...paths) },
];

const failed: string[] = [];
for (const { name, run } of paths.length > 0 ? steps.slice(-1) : steps) {
  console.log(`\n── ${name}`);
  const startedMs = performance.now();
  if (!(await run())) failed.push(name);
  console.log(
    `── ${name}: ${failed.at(-1) === name ? 'FAILED' : 'passed'} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
  );
}
if (failed.length > 0) console.error(`\nFailed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
