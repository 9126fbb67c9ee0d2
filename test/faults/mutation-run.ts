/**
 * The tests put to the test: each mutant is made in a copy of the sources, and what should catch it is run there. Before that, the same is
 * run on an unchanged copy, and must hold: what fails by itself catches nothing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type CampaignReport, DisagreementError, runCampaign, type Subject } from './campaign.ts';
import { type Fault, faultOf } from './faults.ts';
import { type Catcher, type Mutant, mutatedText } from './mutants.ts';
import { type RepairFault, repairFaultOf } from './repair/repair-faults.ts';
import { type RepairRunReport, runRepairFaults } from './repair/repair-run.ts';
import { RepairDisagreement } from './repair/repair-scene.ts';

export interface MutationOptions {
  /** Of the sources that are put to the test. */
  readonly root: string;
  readonly mutants: readonly Mutant[];
  readonly seed: number;
  readonly say: (line: string) => void;
}

export interface MutationResult {
  readonly mutant: Mutant;
  readonly isCaught: boolean;
  readonly seconds: number;
  /** What was noticed, or that nothing was. */
  readonly said: string;
}

/** What is not in the repository and needed all the same. */
const linked = ['node_modules', 'native/build'];
/** A mutant may make whoever judges it wait for ever. */
const longestMs = 600_000;

/** @throws Error where the tests do not hold without any change, or a mutant does not fit the sources any more. */
export async function runMutants(options: MutationOptions): Promise<readonly MutationResult[]> {
  const { mutants, say } = options;
  const folder = await mkdtemp(join(tmpdir(), 'meshward-mutants-'));
  try {
    const copy = join(folder, 'meshward');
    await copySources(options.root, copy);
    for (const mutant of mutants) mutatedText(mutant, await readFile(join(copy, mutant.file), 'utf8'));
    const slowestAgreementMs = await expectToHold(copy, options);
    const subject = { folder: copy, slowestAgreementMs };
    const results: MutationResult[] = [];
    for (const mutant of mutants) {
      const result = await tryMutant(subject, mutant, options);
      say(`${result.isCaught ? 'caught  ' : 'SURVIVED'} ${result.seconds.toFixed(0).padStart(4)} s  ${mutant.name}`);
      results.push(result);
    }
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns how long agreement takes on this machine; null where nothing waits for it. */
async function expectToHold(copy: string, { mutants, seed, say }: MutationOptions): Promise<number | null> {
  const catchers = mutants.map(({ caughtBy }) => caughtBy);
  const paths = new Set(catchers.flatMap((each) => (each.kind === 'test' ? [each.path] : [])));
  for (const path of paths) {
    const said = await runTest(copy, path);
    if (said !== null) throw new Error(`${path} fails without any change:\n${said}`);
  }
  say(`${paths.size} test files hold without any change`);
  const ofRepair = new Set(catchers.flatMap((each) => (each.kind === 'repair-fault' ? [each.name] : [])));
  if (ofRepair.size > 0) await strikeRepair(copy, [...ofRepair].map(repairFaultOf), seed);
  say(`${ofRepair.size} faults of repair hold without any change`);
  const names = new Set(catchers.flatMap((each) => (each.kind === 'fault' ? [each.name] : [])));
  if (names.size === 0) return null;
  const faults = [...names].map(faultOf);
  const { slowestAgreementMs } = await strike({ folder: copy, slowestAgreementMs: null }, faults, seed);
  say(`${faults.length} faults hold without any change`);
  return slowestAgreementMs;
}

async function tryMutant(subject: Subject, mutant: Mutant, { seed }: MutationOptions): Promise<MutationResult> {
  const { caughtBy } = mutant;
  const path = join(subject.folder, mutant.file);
  const original = await readFile(path, 'utf8');
  const startedMs = performance.now();
  await writeFile(path, mutatedText(mutant, original));
  try {
    const said = await catchWith(caughtBy, subject, seed);
    const seconds = (performance.now() - startedMs) / 1000;
    return { mutant, isCaught: said !== null, seconds, said: said ?? 'nothing was noticed' };
  } finally {
    await writeFile(path, original);
  }
}

/** What was noticed; null where nothing was. */
function catchWith(caughtBy: Catcher, subject: Subject, seed: number): Promise<string | null> {
  switch (caughtBy.kind) {
    case 'test':
      return runTest(subject.folder, caughtBy.path);
    case 'fault':
      return disagreement(strike(subject, [faultOf(caughtBy.name)], seed));
    case 'repair-fault': {
      const fault = repairFaultOf(caughtBy.name);
      return disagreement(strikeRepair(subject.folder, [fault, fault, fault], seed));
    }
  }
}

function strikeRepair(root: string, faults: readonly RepairFault[], seed: number): Promise<RepairRunReport> {
  return runRepairFaults({ seed, faults, root, say: () => undefined });
}

function strike(subject: Subject, faults: readonly Fault[], seed: number): Promise<CampaignReport> {
  return runCampaign({ seed, log: 'embedded', faults, files: 120, peers: 12, subject, say: () => undefined });
}

/** What the oracle noticed; null where it agreed. @throws whatever else went wrong: that is no catch. */
async function disagreement(campaign: Promise<unknown>): Promise<string | null> {
  try {
    await campaign;
    return null;
  } catch (error) {
    if (error instanceof DisagreementError || error instanceof RepairDisagreement) return error.message;
    throw error;
  }
}

/** What fails of a test file in this copy; null where all of it holds. @throws Error where nothing could be run. */
async function runTest(copy: string, path: string): Promise<string | null> {
  const report = join(copy, '..', 'report.json');
  await rm(report, { force: true });
  const vitest = join(copy, 'node_modules/vitest/vitest.mjs');
  const argv = [vitest, 'run', path, '--reporter=json', `--outputFile=${report}`];
  const child = spawn(process.execPath, argv, { cwd: copy, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const callOff = setTimeout(() => child.kill('SIGTERM'), longestMs);
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(callOff);
  if (status === 0) return null;
  if (status === null) return `it did not end in ${longestMs / 1000} s`;
  const { testResults } = JSON.parse(await readFile(report, 'utf8').catch(() => '{"testResults":[]}')) as Report;
  const failed = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter((test) => test.status === 'failed');
  if (failed.length === 0) throw new Error(`${path} could not be run:\n${output.slice(-4000)}`);
  return failed.map(({ fullName }) => fullName).join('; ');
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

async function copySources(root: string, copy: string): Promise<void> {
  for (const path of await sourcesOf(root)) {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await cp(join(root, path), join(copy, path));
  }
  for (const path of linked) {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await symlink(join(root, path), join(copy, path));
  }
}

/** What is committed or may be. */
async function sourcesOf(root: string): Promise<readonly string[]> {
  const child = spawn('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error('git does not list the sources: mutants are made in a clone of the repository');
  return output.split('\0').filter((path) => path !== '' && path.split('/')[0] !== 'node_modules');
}
