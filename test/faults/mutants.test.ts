/** The run itself is long: `npm run faults -- --mutants`. Here, that it can be done. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { faultOf } from './faults.ts';
import { mutants, mutatedText } from './mutants.ts';
import { repairFaultOf } from './repair/repair-faults.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

it.each(mutants)('$name: fits the sources, and what should catch it is there', (mutant) => {
  const { file, caughtBy } = mutant;
  const original = readFileSync(join(root, file), 'utf8');
  expect(mutatedText(mutant, original)).not.toBe(original);
  if (caughtBy.kind === 'test') expect(existsSync(join(root, caughtBy.path))).toBe(true);
  else if (caughtBy.kind === 'repair-fault') expect(repairFaultOf(caughtBy.name).name).toBe(caughtBy.name);
  else expect(faultOf(caughtBy.name).needsBrokers).toBeUndefined();
});

it('names of mutants are their own', () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});
