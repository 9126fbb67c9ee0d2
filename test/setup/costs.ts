/** How long each test file took when it was last recorded: who is long begins first, so that nobody waits for it at the end. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Reporter, TestModule, TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';
import { root } from './needs.ts';

const table = join(root, 'test/setup/costs.json');
/** What takes less is not worth a line. */
const leastSeconds = 2;
const unrecordedSeconds = 1;

/** Seconds by path; of what is not there, it was less than two. */
export const costs: Readonly<Record<string, number>> = JSON.parse(readFileSync(table, 'utf8')) as Record<
  string,
  number
>;

export function costOf(path: string): number {
  return costs[path] ?? unrecordedSeconds;
}

export class LongestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const cost = (spec: TestSpecification): number => costOf(relative(root, spec.moduleId));
    // Of the same cost, those of one project stay together: they share workers.
    const order = (a: TestSpecification, b: TestSpecification): number =>
      cost(b) - cost(a) || a.project.name.localeCompare(b.project.name) || (a.moduleId < b.moduleId ? -1 : 1);
    return Promise.resolve([...files].sort(order));
  }
}

/** Writes the table anew from a run of all files: `npm test -- --record-costs`. */
export class CostRecorder implements Reporter {
  readonly #seconds: Record<string, number> = {};

  onTestModuleEnd(module: TestModule): void {
    const { collectDuration, duration } = module.diagnostic();
    this.#seconds[relative(root, module.moduleId)] = Math.round((collectDuration + duration) / 1000);
  }

  onTestRunEnd(): void {
    const long = Object.entries(this.#seconds).filter(([, seconds]) => seconds >= leastSeconds);
    const sorted = long.sort(([a, costA], [b, costB]) => costB - costA || (a < b ? -1 : 1));
    writeFileSync(table, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
  }
}
