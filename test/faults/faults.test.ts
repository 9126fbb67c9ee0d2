/** A short seeded run of the fault matrix; `npm run faults -- --minutes N` runs it at length. */
import { expect, it } from 'vitest';
import { runCampaign } from './campaign.ts';
import { faultOf } from './faults.ts';

const seed = Number(process.env['MESHWARD_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const acts = [
  'leader frozen',
  'leader killed',
  'analyzers come, go and are killed',
  'zombie woken',
  'disk full',
  'killed before the store has it',
  'killed before the store has said so',
  'answers of the store break',
  'files deleted, and shares of files that nobody knows',
  'records that nobody can read',
  'log truncated under stopped analyzers',
];

it(`nothing acknowledged is lost and nothing is doubled (MESHWARD_SEED=${seed})`, { timeout: 1_800_000 }, async () => {
  const lines: string[] = [];
  const report = await runCampaign({
    seed,
    log: 'kafka',
    faults: acts.map(faultOf),
    files: 120,
    peers: 12,
    // What a fault does to a batch does not hang on how many come beside it, and each of them takes its time of the machine.
    restMs: 100,
    say: (line) => lines.push(line),
  }).catch((error: unknown) => {
    throw new Error(`${lines.join('\n')}\n${String(error)}`);
  });
  expect(report.faults).toBe(acts.length);
  expect(report.acknowledgedEvents).toBeGreaterThan(1000);
});
