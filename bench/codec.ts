/**
 * The codec and share hashing against other implementations: `npm run bench -- codec [all|quick|encode|threads]`.
 *
 * Every case is measured in one run, its peers taking turns on the same blocks, in processor time of one thread; figures are
 * medians. "Staggered" blocks are 64-byte aligned and spread over the page; "node" blocks lie as Node allocates large Buffers,
 * each 16 bytes into a page. Where the processor has more than AVX2, every case is measured a second time with ours and the
 * peers held to that. leopard and reed-solomon-simd are other codes (their shares are not zfec's). "memcpy" and
 * "xor" are no codes: they read each source and write each output once, in tiles of a page and 256 columns at a time.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  hashMany,
  hashTags,
  isaLevel,
  isaLevelsSupported,
  loadNative,
  regenerate,
  regenerateAsync,
  regenerateSegments,
  regenerateSegmentsAsync,
} from '#native/index.ts';
import { type BenchCase, type BenchOptions, median, spreadOf } from './case.ts';
import { buildPeers, type Peers } from './peers/build.ts';

type Shape = readonly [k: number, n: number, missing: number];
type Alignment = 'staggered' | 'node';

const tahoeBlockBytes = 41_944;
const allShapes: readonly Shape[] = [
  [25, 100, 50],
  [25, 100, 10],
  [25, 100, 1],
  [25, 100, 0],
  [3, 10, 7],
  [3, 10, 0],
  [29, 80, 50],
  [29, 80, 0],
  [17, 20, 0],
];
const allLengths = [4096, tahoeBlockBytes, 65_536, 1_048_576];

export async function* run(options: BenchOptions): AsyncIterable<BenchCase> {
  const quick = options.arguments.includes('quick');
  if (options.arguments.includes('threads')) return yield* onAllThreadsAtAllSizes(quick ? 5 : 25);
  const encode = options.arguments.includes('encode');
  const usual = encode ? allShapes.filter(([, , missing]) => missing === 0) : allShapes.slice(0, quick ? 1 : 4);
  const shapes = options.arguments.includes('all') ? allShapes : usual;
  const levels = levelsToMeasure(isaLevel());
  options.note(`levels ${levels.join(' and ')}; ISA-L is 2.31 (crate isal-sys 0.5.3); one thread, processor time`);
  const peers = buildPeers(options.note);
  yield* againstLibraries(peers, shapes, levels, quick ? [4096, tahoeBlockBytes] : allLengths, quick ? 100 : 400);
  if (encode) return;
  yield* repairWithHashes(peers, quick ? 5 : 15);
  yield* hashing(quick ? 5 : 15);
  yield inNode(quick ? 5 : 15);
  yield* onAllThreadsAtAllSizes(quick ? 5 : 25);
}

/** What this process runs at, and AVX2 too where that is less: most processors have no more. */
function levelsToMeasure(level: string): readonly string[] {
  return level === 'avx512' || level === 'gfni' ? [level, 'avx2'] : [level];
}

const peerTitles: Readonly<Record<string, string>> = { isal: 'ISA-L', rssimd: 'reed-solomon-simd' };

interface Measured {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
}

async function* againstLibraries(
  peers: Peers,
  shapes: readonly Shape[],
  levels: readonly string[],
  lengths: readonly number[],
  milliseconds: number,
): AsyncIterable<BenchCase> {
  const driver = spawn(peers.driver, peers.driverArguments, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: driver.stdout })[Symbol.asyncIterator]();
  try {
    for (const [k, n, missing] of shapes) {
      for (const alignment of ['staggered', 'node'] satisfies Alignment[]) {
        for (const [level, length] of levels.flatMap((one) => lengths.map((bytes) => [one, bytes] as const))) {
          driver.stdin.write(`${k} ${n} ${missing} ${length} ${alignment} ${level} ${milliseconds}\n`);
          const { value, done } = await lines.next();
          if (done === true) throw new Error('the measuring program ended early');
          const { unequal, ours, ...others } = JSON.parse(value) as { unequal: string; ours: Measured } & Record<
            string,
            Measured
          >;
          if (unequal !== '') throw new Error(`${unequal} computed other bytes`);
          const gigabytes = (measured: Measured): number => (k * length) / measured.median;
          yield {
            case: `${missing === 0 ? 'encode' : 'repair'} ${k}/${n}${missing === 0 ? '' : `, ${missing} missing`}, ${sizeOf(length)}, ${alignment}, ${level}`,
            unit: 'GB/s in',
            ours: gigabytes(ours),
            peers: Object.fromEntries(
              Object.entries(others).map(([name, measured]) => [peerTitles[name] ?? name, gigabytes(measured)]),
            ),
            spread: ours.p90 / ours.p10 - 1,
          };
        }
      }
    }
  } finally {
    driver.stdin.end();
    if (driver.exitCode === null) await once(driver, 'exit');
  }
}

/** Check 25 source blocks, regenerate 50 and hash them, against zfec with hashlib; GB/s of what is written. */
async function* repairWithHashes(peers: Peers, rounds: number): AsyncIterable<BenchCase> {
  const blocks = repairRequest(tahoeBlockBytes);
  const request = { ...blocks, segments: [{ sources: blocks.sources, outputs: blocks.outputs }] };
  const script = fileURLToPath(new URL('./peers/straightforward.py', import.meta.url));
  const python =
    peers.pythonPath === null
      ? null
      : spawn('python3', [script, '25', '100', '50', String(tahoeBlockBytes)], {
          stdio: ['pipe', 'pipe', 'inherit'],
          env: { ...process.env, PYTHONPATH: peers.pythonPath },
        });
  const answers = python === null ? null : createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const ours: number[] = [];
  const straightforward: number[] = [];
  const gigabytes = 50 * tahoeBlockBytes * 1e-9;
  regenerateSegments(request);
  for (let round = 0; round < rounds; round++) {
    ours.push(gigabytes / threadSeconds(() => regenerateSegments(request), 80));
    python?.stdin.write('\n');
    const answer = await answers?.next();
    if (answer !== undefined && answer.done !== true) straightforward.push(gigabytes / Number(answer.value));
  }
  python?.stdin.end();
  const figure = { unit: 'GB/s out', ours: median(ours), spread: spreadOf(ours) };
  yield {
    case: 'verify 25, regenerate and hash 50, 41,944-byte blocks',
    ...figure,
    peers: straightforward.length > 0 ? { 'zfec with hashlib': median(straightforward) } : {},
  };
  const separate = (): void => {
    hashMany(hashTags.block, request.sources);
    hashMany(hashTags.block, regenerate(blocks));
  };
  const apart = Array.from({ length: rounds }, () => gigabytes / threadSeconds(separate, 80));
  yield { case: 'the same in one call, against three', ...figure, peers: { 'three calls': median(apart) } };
}

/**
 * Block hashes as this processor does them, and as one without the SHA extensions: sixteen messages side by side where it has
 * AVX-512, eight where it has AVX2, one at a time where it has neither.
 */
function* hashing(rounds: number): Iterable<BenchCase> {
  const { sources, outputs } = repairRequest(tahoeBlockBytes);
  const blocks = [...sources, ...outputs];
  const gigabytes = blocks.length * tahoeBlockBytes * 1e-9;
  const own = isaLevel();
  const levels = isaLevelsSupported().filter((level) => ['avx512', 'avx2', 'scalar'].includes(level));
  const ways = [{ level: own, sha: true }, ...levels.map((level) => ({ level, sha: false }))];
  const figures = new Map(ways.map((way) => [way, [] as number[]]));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [{ level, sha }, measured] of figures) {
        loadNative().setIsaLevel(level);
        loadNative().useSha(sha);
        measured.push(gigabytes / threadSeconds(() => hashMany(hashTags.block, blocks), 10));
      }
    }
  } finally {
    loadNative().setIsaLevel(own);
    loadNative().useSha(true);
  }
  for (const [{ level, sha }, measured] of figures) {
    const figure = { unit: 'GB/s', ours: median(measured), peers: {}, spread: spreadOf(measured) };
    yield { case: `hash ${blocks.length} blocks of 41,944 B, ${level}${sha ? '' : ' without SHA'}`, ...figure };
  }
}

/** What the call from JavaScript costs: regenerate() at 4 KiB. */
function inNode(rounds: number): BenchCase {
  const request = repairRequest(4096);
  const figures = Array.from(
    { length: rounds },
    () => (25 * 4096 * 1e-9) / threadSeconds(() => regenerate(request), 4000),
  );
  return {
    case: 'repair 25/100, 50 missing, 4 KiB, called from Node',
    unit: 'GB/s in',
    ours: median(figures),
    peers: {},
    spread: spreadOf(figures),
  };
}

async function* onAllThreadsAtAllSizes(rounds: number): AsyncIterable<BenchCase> {
  for (const lengthBytes of [tahoeBlockBytes, 65_536, 1_048_576]) yield* onAllThreads(lengthBytes, rounds);
  for (const count of [8, 64]) yield* segmentsOnAllThreads(count, rounds);
}

/** One segment's blocks in each call. */
async function* onAllThreads(lengthBytes: number, rounds: number): AsyncIterable<BenchCase> {
  const request = repairRequest(lengthBytes);
  yield* ofAllThreads({
    title: `repair 25/100, 50 missing, ${sizeOf(lengthBytes)}`,
    alone: () => regenerate(request),
    together: () => regenerateAsync(request),
    times: Math.max(12, Math.round(4_194_304 / lengthBytes)),
    rounds,
  });
}

/** As a repair calls it: many segments at once, their blocks hashed on the way; 64 MiB of sources in the larger case. */
async function* segmentsOnAllThreads(count: number, rounds: number): AsyncIterable<BenchCase> {
  const segments = Array.from({ length: count }, () => {
    const { sources, outputs } = repairRequest(tahoeBlockBytes);
    return { sources, outputs };
  });
  const request = { ...repairRequest(tahoeBlockBytes), segments };
  yield* ofAllThreads({
    title: `the same and hashed, ${count} segments of ${sizeOf(tahoeBlockBytes)} in a call`,
    alone: () => regenerateSegments(request),
    together: () => regenerateSegmentsAsync(request),
    times: Math.max(1, Math.round(24 / count)),
    rounds,
  });
}

/**
 * How much faster all threads are than one. In processor time: their count times what the work costs one thread over what it
 * costs them together, which on a busy machine still says what sharing caches and memory takes. In elapsed time: what a caller
 * sees; only rounds in which nobody else had the processor for more than a twentieth of the time are counted.
 */
async function* ofAllThreads(work: {
  title: string;
  alone: () => unknown;
  together: () => Promise<unknown>;
  times: number;
  rounds: number;
}): AsyncIterable<BenchCase> {
  const threads = Math.min(availableParallelism(), 16);
  const byProcessor: number[] = [];
  const byClock: number[] = [];
  for (let round = 0; round < work.rounds; round++) {
    const aloneBegan = performance.now();
    const aloneSeconds = threadSeconds(work.alone, work.times) * work.times;
    const aloneElapsed = (performance.now() - aloneBegan) / 1e3;
    const began = performance.now();
    const begin = process.cpuUsage();
    for (let i = 0; i < work.times; i++) await work.together();
    const { user, system } = process.cpuUsage(begin);
    const elapsed = (performance.now() - began) / 1e3;
    const togetherSeconds = (user + system) / 1e6;
    byProcessor.push((threads * aloneSeconds) / togetherSeconds);
    if (aloneSeconds > 0.95 * aloneElapsed && togetherSeconds > 0.9 * threads * elapsed)
      byClock.push(aloneElapsed / elapsed);
  }
  const title = `${work.title}: ${threads} threads`;
  const figure = (values: readonly number[]) => ({
    unit: '× one',
    ours: median(values),
    peers: {},
    spread: spreadOf(values),
  });
  yield { case: `${title}, processor time`, ...figure(byProcessor) };
  if (byClock.length > 0) yield { case: `${title}, elapsed, ${byClock.length} quiet rounds`, ...figure(byClock) };
}

function repairRequest(lengthBytes: number) {
  const blocksOf = (count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => Buffer.alloc(lengthBytes, i + 1));
  const numbersFrom = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
  return {
    k: 25,
    n: 100,
    sourceNumbers: numbersFrom(10, 25),
    wantedNumbers: numbersFrom(50, 50),
    sources: blocksOf(25),
    outputs: blocksOf(50),
  };
}

// Long enough for the clock, which on some kernels counts in ticks of milliseconds.
function threadSeconds(work: () => void, times: number): number {
  const begin = process.threadCpuUsage();
  for (let i = 0; i < times; i++) work();
  const { user, system } = process.threadCpuUsage(begin);
  return (user + system) / 1e6 / times;
}

function sizeOf(bytes: number): string {
  return bytes % 1_048_576 === 0
    ? `${bytes / 1_048_576} MiB`
    : bytes % 1024 === 0
      ? `${bytes / 1024} KiB`
      : `${bytes.toLocaleString('en')} B`;
}
