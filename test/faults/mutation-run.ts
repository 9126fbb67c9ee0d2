/**
 * The tests put to the test: each mutant is made in a copy of the sources, and what should catch it is run there. Before that, the same is
 * run on an unchanged copy, and must hold: what fails by itself catches nothing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { describeError } from '#mesh/errors.ts';
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
/** What is judged may wait for ever: the verdict comes within so many times what it takes without any change, and a little more. */
const timesUnchanged = 4;
const leastMs = 20_000;
/** Beyond every verdict. */
const longestMs = 600_000;

/** What it takes without any change, on this machine. */
interface Unchanged {
  /** By path of a test file. */
  readonly testMs: ReadonlyMap<string, number>;
  /** The slowest thing that came under faults of repair. */
  readonly repairWaitMs: number;
  readonly subject: Subject;
}

/** @throws Error where the tests do not hold without any change, or a mutant does not fit the sources any more. */
export async function runMutants(options: MutationOptions): Promise<readonly MutationResult[]> {
  const { mutants, say } = options;
  const folder = await mkdtemp(join(tmpdir(), 'meshward-mutants-'));
  try {
    const copy = join(folder, 'meshward');
    await copySources(options.root, copy);
    for (const mutant of mutants) mutatedText(mutant, await readFile(join(copy, mutant.file), 'utf8'));
    const unchanged = await expectToHold(copy, options);
    const results: MutationResult[] = [];
    for (const mutant of mutants) {
      const result = await tryMutant(unchanged, mutant, options);
      say(`${result.isCaught ? 'caught  ' : 'SURVIVED'} ${result.seconds.toFixed(0).padStart(4)} s  ${mutant.name}`);
      results.push(result);
    }
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function expectToHold(copy: string, { mutants, seed, say }: MutationOptions): Promise<Unchanged> {
  const catchers = mutants.map(({ caughtBy }) => caughtBy);
  const paths = new Set(catchers.flatMap((each) => (each.kind === 'test' ? [each.path] : [])));
  const tests = paths.size === 0 ? { failed: [], tookMs: new Map() } : await runTests(copy, [...paths], null);
  if (tests.failed.length > 0) throw new Error(`tests fail without any change: ${tests.failed.join('; ')}`);
  say(`${paths.size} test files hold without any change`);
  const ofRepair = new Set(catchers.flatMap((each) => (each.kind === 'repair-fault' ? [each.name] : [])));
  const repair = ofRepair.size > 0 ? await strikeRepair(copy, [...ofRepair].map(repairFaultOf), seed) : null;
  say(`${ofRepair.size} faults of repair hold without any change`);
  const faults = new Set(catchers.flatMap((each) => (each.kind === 'fault' ? [each.name] : [])));
  const subject = { folder: copy, slowestAgreementMs: null };
  const run = faults.size > 0 ? await strike(subject, [...faults].map(faultOf), seed) : null;
  say(`${faults.size} faults hold without any change`);
  return {
    testMs: tests.tookMs,
    repairWaitMs: repair?.slowestWaitMs ?? 0,
    subject: { folder: copy, slowestAgreementMs: run?.slowestAgreementMs ?? null },
  };
}

async function tryMutant(unchanged: Unchanged, mutant: Mutant, { seed }: MutationOptions): Promise<MutationResult> {
  const path = join(unchanged.subject.folder, mutant.file);
  const original = await readFile(path, 'utf8');
  const startedMs = performance.now();
  await writeFile(path, mutatedText(mutant, original));
  try {
    const verdict = await within(longestMs, catchWith(mutant.caughtBy, unchanged, seed)).then(
      (said) => ({ isCaught: said !== null, said: said ?? 'nothing was noticed' }),
      // That something else went wrong says nothing of what was to be noticed.
      (error: unknown) => ({ isCaught: false, said: `no verdict: ${describeError(error)}` }),
    );
    return { mutant, ...verdict, seconds: (performance.now() - startedMs) / 1000 };
  } finally {
    await writeFile(path, original);
  }
}

/** What was noticed; null where nothing was. */
async function catchWith(caughtBy: Catcher, unchanged: Unchanged, seed: number): Promise<string | null> {
  const { subject, testMs, repairWaitMs } = unchanged;
  switch (caughtBy.kind) {
    case 'test': {
      const patienceMs = patienceFor(testMs.get(caughtBy.path) ?? 0);
      const { failed } = await runTests(subject.folder, [caughtBy.path], patienceMs);
      return failed.length === 0 ? null : failed.join('; ');
    }
    case 'fault':
      return disagreement(strike(subject, [faultOf(caughtBy.name)], seed));
    case 'repair-fault': {
      const fault = repairFaultOf(caughtBy.name);
      return disagreement(strikeRepair(subject.folder, [fault, fault, fault], seed, patienceFor(repairWaitMs)));
    }
  }
}

function patienceFor(unchangedMs: number): number {
  return leastMs + timesUnchanged * unchangedMs;
}

/** @throws Error where it takes longer; what goes on then is left behind, and ends with this process. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`nothing came of it in ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function strikeRepair(
  root: string,
  faults: readonly RepairFault[],
  seed: number,
  patienceMs?: number,
): Promise<RepairRunReport> {
  const say = (): void => undefined;
  return runRepairFaults({ seed, faults, root, say, ...(patienceMs === undefined ? {} : { patienceMs }) });
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

interface TestsRun {
  /** Names of the tests that failed. */
  readonly failed: readonly string[];
  readonly tookMs: ReadonlyMap<string, number>;
}

/**
 * @param patienceMs how long a test may take; then the first failure is enough. Null without any change.
 * @throws Error where nothing could be run.
 */
async function runTests(copy: string, paths: readonly string[], patienceMs: number | null): Promise<TestsRun> {
  const report = join(copy, '..', 'report.json');
  await rm(report, { force: true });
  const vitest = join(copy, 'node_modules/vitest/vitest.mjs');
  const bounds = patienceMs === null ? [] : ['--bail=1', `--testTimeout=${patienceMs}`, `--hookTimeout=${patienceMs}`];
  const argv = [vitest, 'run', ...paths, ...bounds, '--reporter=json', `--outputFile=${report}`];
  const child = spawn(process.execPath, argv, { cwd: copy, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const callOff = setTimeout(() => child.kill('SIGKILL'), longestMs);
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(callOff);
  const { testResults } = JSON.parse(await readFile(report, 'utf8').catch(() => '{"testResults":[]}')) as Report;
  const failed = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter((test) => test.status === 'failed');
  if (status !== 0 && failed.length === 0)
    throw new Error(`${paths.join(', ')}: no test fails, and yet it is not well:\n${output.slice(-4000)}`);
  return {
    failed: failed.map(({ fullName }) => fullName),
    tookMs: new Map(testResults.map(({ name, startTime, endTime }) => [relative(copy, name), endTime - startTime])),
  };
}

interface Report {
  readonly testResults: readonly {
    /** Path of the file. */
    readonly name: string;
    readonly startTime: number;
    readonly endTime: number;
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
