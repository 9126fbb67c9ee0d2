/**
 * `npm run faults -- [--log kafka|embedded] [--minutes N] [--seed S] [--fault NAME]`: faults in random order on a cluster of this machine, until the
 * time is over. Prints the seed first: the same seed makes the same faults.
 */
import { parseArgs } from 'node:util';
import { seededRandom } from '#mesh/clock.ts';
import { runCampaign } from './campaign.ts';
import { type Fault, faultOf, faults } from './faults.ts';

const { values } = parseArgs({
  options: {
    log: { type: 'string', default: 'kafka' },
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
    fault: { type: 'string', multiple: true, default: [] },
    analyzers: { type: 'string', default: '3' },
    files: { type: 'string', default: '1000' },
  },
});

function* untilOver(minutes: number, seed: number, chosen: readonly Fault[]): Generator<Fault> {
  const random = seededRandom(seed ^ 0x5eed);
  const endsAtMs = performance.now() + minutes * 60_000;
  while (performance.now() < endsAtMs) yield chosen[Math.floor(random() * chosen.length)] as Fault;
}

const seed = Number(values.seed);
const chosen = values.fault.length === 0 ? faults : values.fault.map(faultOf);
const startedMs = performance.now();
const report = await runCampaign({
  seed,
  log: values.log === 'embedded' ? 'embedded' : 'kafka',
  faults: untilOver(Number(values.minutes), seed, chosen),
  analyzers: Number(values.analyzers),
  files: Number(values.files),
  say: (line) => console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${line}`),
});
console.log(JSON.stringify(report));
