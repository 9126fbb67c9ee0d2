/**
 * `npm run faults -- [--log kafka|embedded] [--minutes N] [--seed S] [--fault NAME]`: faults in random order on a cluster of this machine, until the
 * time is over. Prints the seed first: the same seed makes the same faults.
 *
 * `npm run faults -- repair [--minutes N] [--seed S] [--fault NAME]`: the same for repair, with campaigns at work.
 *
 * `npm run faults -- --mutants [--mutant PART-OF-NAME]`: whether the tests notice when something is wrong; fails where one small wrong change is
 * not noticed.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { runCampaign } from './campaign.ts';
import { faultOf, faults } from './faults.ts';
import { mutants } from './mutants.ts';
import { runMutants } from './mutation-run.ts';
import { repairFaultOf, repairFaults } from './repair/repair-faults.ts';
import { runRepairFaults } from './repair/repair-run.ts';

const usage = `usage: npm run faults -- [--log kafka|embedded] [--minutes N] [--seed S] [--fault NAME] [--analyzers N] [--files N]
       npm run faults -- repair [--minutes N] [--seed S] [--fault NAME]
       npm run faults -- --mutants [--mutant PART-OF-NAME]`;

const { values, positionals } = optionsGiven();
if (values.help) {
  const named = (all: readonly { readonly name: string }[]): string => all.map(({ name }) => name).join('; ');
  console.log(`${usage}\n\nfaults: ${named(faults)}\nof repair: ${named(repairFaults)}\nmutants: ${named(mutants)}`);
  process.exit(0);
}

const seed = Number(values.seed);
const startedMs = performance.now();
const say = (line: string): void => {
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${line}`);
};
if (values.mutants) await putToTheTest();
else if (positionals[0] === 'repair') await strikeRepair();
else await strike();

function optionsGiven() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        log: { type: 'string', default: 'kafka' },
        minutes: { type: 'string', default: '10' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
        fault: { type: 'string', multiple: true, default: [] },
        analyzers: { type: 'string', default: '3' },
        files: { type: 'string', default: '1000' },
        mutants: { type: 'boolean', default: false },
        mutant: { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    console.error(`${describeError(error)}\n${usage}`);
    process.exit(2);
  }
}

async function strike(): Promise<void> {
  const log = values.log === 'embedded' ? 'embedded' : 'kafka';
  const possible = faults.filter(({ needsBrokers }) => log === 'kafka' || needsBrokers !== true);
  const chosen = values.fault.length === 0 ? possible : values.fault.map(faultOf);
  const report = await runCampaign({
    seed,
    log,
    faults: untilOver(Number(values.minutes), chosen),
    analyzers: Number(values.analyzers),
    files: Number(values.files),
    say,
  });
  console.log(JSON.stringify(report));
}

async function strikeRepair(): Promise<void> {
  const chosen = values.fault.length === 0 ? repairFaults : values.fault.map(repairFaultOf);
  const report = await runRepairFaults({ seed, faults: untilOver(Number(values.minutes), chosen), say });
  console.log(JSON.stringify(report));
}

function* untilOver<T>(minutes: number, chosen: readonly T[]): Generator<T> {
  const random = seededRandom(seed ^ 0x5eed);
  const endsAtMs = performance.now() + minutes * 60_000;
  while (performance.now() < endsAtMs) yield chosen[Math.floor(random() * chosen.length)] as T;
}

async function putToTheTest(): Promise<void> {
  const wanted = values.mutant;
  const chosen = mutants.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  if (chosen.length === 0) throw new Error(`no mutant has such a name: ${mutants.map(({ name }) => name).join('; ')}`);
  const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
  say(`seed ${seed}: ${chosen.length} mutants`);
  const results = await runMutants({ root, mutants: chosen, seed, say });
  console.log();
  for (const { mutant, isCaught, seconds, said } of results) {
    const { caughtBy } = mutant;
    const catcher = caughtBy.kind === 'test' ? caughtBy.path : `the fault "${caughtBy.name}"`;
    console.log(`${isCaught ? 'caught  ' : 'SURVIVED'} ${mutant.name}`);
    console.log(`         by ${catcher} in ${seconds.toFixed(0)} s: ${firstLineOf(said)}`);
  }
  const survivors = results.filter(({ isCaught }) => !isCaught);
  console.log(`\n${results.length - survivors.length} of ${results.length} mutants were caught.`);
  // Where there was no verdict, what was to be judged may go on for ever.
  process.exit(survivors.length === 0 ? 0 : 1);
}

function firstLineOf(text: string): string {
  const [first = '', second = ''] = text.split('\n');
  return `${first} ${second}`.trim().slice(0, 200);
}
