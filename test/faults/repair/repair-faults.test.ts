/** A short seeded run of the fault matrix of repair; `npm run faults -- repair --minutes N` runs it at length. */
import { expect, it } from 'vitest';
import { repairFaultOf } from './repair-faults.ts';
import { runRepairFaults } from './repair-run.ts';

const seed = Number(process.env['MESHWARD_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const acts = [
  'targets keep wrong bytes',
  'repairers are killed',
  'a repairer is frozen and woken',
  'everything at once',
];

it(`files are whole and counts are true whatever befalls repair (MESHWARD_SEED=${seed})`, {
  timeout: 900_000,
}, async () => {
  const lines: string[] = [];
  const report = await runRepairFaults({
    seed,
    faults: acts.map(repairFaultOf),
    filesPerFault: 6,
    say: (line) => lines.push(line),
  }).catch((error: unknown) => {
    throw new Error(`${lines.join('\n')}\n${String(error)}`);
  });
  expect(report.faults).toBe(acts.length);
  expect(report.campaigns).toBeGreaterThan(acts.length);
});
