/**
 * Everything that must hold, one step after the other: types, lint, format, lock and generated files, then every test.
 *
 * - `npm test -- --fast`: types, lint, format, and the tests that start no broker, database, browser, Tahoe node or process.
 * - `npm test -- PATH`: only the tests below PATH. Other words go to vitest as they are.
 * - `npm test -- --record-costs`: everything, and then how long each file took, for the order of the next runs.
 */
import { spawn } from 'node:child_process';
import { installChartTools } from './charts/install.ts';
import { installKafka } from './kafka/install.ts';
import { installChromium } from './setup/chromium.ts';
import { installPrometheus } from './setup/prometheus.ts';
import { installShells } from './setup/shells.ts';
import { installTahoe } from './tahoe-grid/install.ts';
import { installRelease } from './upgrade/release.ts';

interface Step {
  readonly name: string;
  readonly run: () => Promise<boolean>;
}

function command(name: string, ...argv: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(name, argv, { stdio: 'inherit' });
    child.once('error', (error) => {
      console.error(`${name}: ${error.message}`);
      resolve(false);
    });
    child.once('close', (status) => resolve(status === 0));
  });
}

const given = process.argv.slice(2);
const isFast = given.includes('--fast');
if (given.includes('--record-costs')) process.env['MESHWARD_RECORD_COSTS'] = '1';
const words = given.filter((word) => word !== '--fast' && word !== '--record-costs');

const checks: readonly Step[] = [
  { name: 'types', run: () => command('tsc', '-p', '.') },
  { name: 'types of the page', run: () => command('tsc', '-p', 'dashboards/page/app') },
  { name: 'lint', run: () => command('oxlint', '--type-aware', '--deny-warnings') },
  { name: 'format', run: () => command('biome', 'check', '.') },
  { name: 'lock file', run: () => command('node', 'test/setup/lock.ts') },
];
const complete: readonly Step[] = [
  { name: 'generated files', run: () => command('node', 'test/setup/generated.ts') },
  { name: 'known vulnerabilities', run: () => command('node', 'test/setup/audit.ts') },
  {
    name: 'what the tests need',
    run: async () => {
      await installTahoe();
      await installKafka();
      await installChartTools();
      await installRelease();
      installChromium();
      installPrometheus();
      installShells();
      return true;
    },
  },
];
const tests: Step = {
  name: 'tests',
  run: () => command('vitest', 'run', ...(isFast ? ['--project', 'fast'] : []), ...words),
};

const steps = words.length > 0 ? [tests] : [...checks, ...(isFast ? [] : complete), tests];
const failed: string[] = [];
for (const { name, run } of steps) {
  console.log(`\n── ${name}`);
  const startedMs = performance.now();
  if (!(await run())) failed.push(name);
  console.log(
    `── ${name}: ${failed.at(-1) === name ? 'FAILED' : 'passed'} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
  );
}
if (failed.length > 0) console.error(`\nFailed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
