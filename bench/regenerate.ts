/**
 * Repair from files to shares: `npm run bench -- regenerate [MiB of a share, 64]`.
 *
 * A 25-of-100 file of which shares 50 … 99 are missing comes back from shares 25 … 49, which lie on a memory file system: every
 * source block is checked, the ciphertext too, every new block hashed. New shares are thrown away. In one run and taking turns:
 * ours, ours with hashing as passes of their own (as it was before), and zfec with hashlib in Python, which does a part of the
 * segments, its time scaled to all. CPU seconds are those of all threads.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Manifest } from '#mesh/manifest.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { encodeShares, openShare, regenerateShares, type ShareSink, type VerifiedShare } from '#tahoe/share/index.ts';
import { type BenchCase, type BenchOptions, median, spreadOf } from './case.ts';
import { installZfec } from './peers/build.ts';
import { regenerateStraightforwardly } from './peers/straightforward-regenerate.ts';

const [k, n] = [25, 100];
const sourceNumbers = Array.from({ length: k }, (_, i) => k + i);
const wantedNumbers = Array.from({ length: 50 }, (_, i) => 50 + i);
const windowBytes = 8 * 1024 * 1024;
const mebibyte = 1024 * 1024;
const rounds = 3;
/** Segments of each turn of Python. */
const pythonSegments = 16;

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  const shareMebibytes = Number(words[0] ?? 64);
  const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'meshward-bench-'));
  try {
    note(`encoding a file of ${k * shareMebibytes} MiB; ${k} of its shares go to ${folder}`);
    yield* measure(folder, await makeSources(folder, shareMebibytes * mebibyte * k), shareMebibytes, note);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function* measure(
  folder: string,
  manifest: Manifest,
  shareMebibytes: number,
  note: (line: string) => void,
): AsyncIterable<BenchCase> {
  const files = await Promise.all(sourceNumbers.map((number) => open(join(folder, String(number)))));
  const shares = await Promise.all(
    files.map((file, i) => {
      const read = async (offset: number, length: number): Promise<Uint8Array> => {
        const bytes = Buffer.allocUnsafeSlow(length);
        const { bytesRead } = await file.read(bytes, 0, length, offset);
        return bytes.subarray(0, bytesRead);
      };
      return openShare({ read }, manifest, sourceNumbers[i] as number);
    }),
  );
  const [first] = shares as [VerifiedShare];
  const python = startPython(folder, first, note);
  const figures = { ours: [] as Figure[], before: [] as Figure[], python: [] as Figure[] };
  for (let round = 0; round < rounds; round++) {
    const wanted = wantedNumbers.map((shareNumber) => ({ shareNumber, sink: new Discard() }));
    figures.ours.push(await timed(() => regenerateShares({ sources: shares, wanted, windowBytes })));
    const again = wantedNumbers.map((shareNumber) => ({ shareNumber, sink: new Discard() }));
    figures.before.push(await timed(() => regenerateStraightforwardly(shares, again, windowBytes)));
    const plain = await python?.turn();
    if (plain !== undefined) figures.python.push(plain);
    note(`round ${round + 1} of ${rounds}`);
  }
  python?.stop();
  await Promise.all(files.map((file) => file.close()));
  const title = `25 of 100, 50 shares of ${shareMebibytes} MiB regenerated`;
  const megabytes = (wantedNumbers.length * first.totalBytes) / 1e6;
  const each = (of: (figure: Figure) => number) => {
    const peers = Object.entries({ 'hashing apart': figures.before, 'zfec with hashlib': figures.python }).filter(
      ([, runs]) => runs.length > 0,
    );
    const ours = figures.ours.map(of);
    return {
      ours: median(ours),
      peers: Object.fromEntries(peers.map(([name, runs]) => [name, median(runs.map(of))])),
      spread: spreadOf(ours),
    };
  };
  yield { case: `${title}: processor time`, unit: 'CPU s', ...each((figure) => figure.cpuSeconds) };
  yield { case: `${title}: elapsed`, unit: 'MB/s out', ...each((figure) => megabytes / figure.seconds) };
  const before = (of: (figure: Figure) => number) => ({ 'hashing apart': median(figures.before.map(of)) });
  yield {
    case: `${title}: processor time of the event loop`,
    unit: 'CPU s',
    ...each((figure) => figure.loopSeconds),
    peers: before((figure) => figure.loopSeconds),
  };
  yield {
    case: `${title}: event loop held, 99 turns of 100`,
    unit: 'ms',
    ...each((figure) => figure.heldMs),
    peers: before((figure) => figure.heldMs),
  };
}

interface Figure {
  readonly cpuSeconds: number;
  readonly seconds: number;
  /** Of the thread that has the event loop; the rest is done beside it. */
  readonly loopSeconds: number;
  /** Most processor time of the event loop between two of its turns, so that a busy machine counts for nothing: the 99th percentile. */
  readonly heldMs: number;
}

async function timed(work: () => Promise<unknown>): Promise<Figure> {
  const turns: number[] = [];
  let turn = process.threadCpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(turn);
    turns.push((user + system) / 1000);
    turn = process.threadCpuUsage();
  }, 1);
  const begin = performance.now();
  const [all, loop] = [process.cpuUsage(), process.threadCpuUsage()];
  await work();
  const [allSpent, loopSpent] = [process.cpuUsage(all), process.threadCpuUsage(loop)];
  clearInterval(timer);
  turns.sort((a, b) => a - b);
  return {
    cpuSeconds: (allSpent.user + allSpent.system) / 1e6,
    seconds: (performance.now() - begin) / 1000,
    loopSeconds: (loopSpent.user + loopSpent.system) / 1e6,
    heldMs: turns[Math.floor(turns.length * 0.99)] ?? 0,
  };
}

/** Counts, and forgets. */
class Discard implements ShareSink {
  bytes = 0;
  begin(): Promise<void> {
    return Promise.resolve();
  }
  write(_offset: number, bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.length;
    return Promise.resolve();
  }
  end(): Promise<void> {
    return Promise.resolve();
  }
}

/** Share data of the sources, one file each. */
async function makeSources(folder: string, sizeBytes: number): Promise<Manifest> {
  const storageIndex = storageIndexFromBytes(new Uint8Array(16).fill(9));
  const { manifest } = await encodeShares({
    storageIndex,
    k,
    n,
    sizeBytes,
    ciphertext: noise(sizeBytes),
    sink: (number) => (sourceNumbers.includes(number) ? fileSink(join(folder, String(number))) : null),
  });
  return manifest;
}

function fileSink(path: string): ShareSink {
  const opened = open(path, 'w');
  return {
    begin: async () => void (await opened),
    write: async (offset, bytes) => void (await (await opened).write(bytes, 0, bytes.length, offset)),
    end: async () => (await opened).close(),
  };
}

function* noise(sizeBytes: number): Iterable<Uint8Array> {
  const block = createHash('shake256', { outputLength: mebibyte }).update('bench').digest();
  for (let left = sizeBytes; left > 0; left -= block.length) {
    block.writeUInt32LE(left % 0xffff_ffff);
    yield left < block.length ? block.subarray(0, left) : Uint8Array.from(block);
  }
}

/** Null where zfec could not be had. */
function startPython(folder: string, { layout }: VerifiedShare, note: (line: string) => void) {
  const pythonPath = installZfec(note);
  if (pythonPath === null) return null;
  const script = fileURLToPath(new URL('./peers/regenerate.py', import.meta.url));
  const numbers = [k, n, layout.blockBytes, layout.offsets.blocks, wantedNumbers[0], wantedNumbers.length];
  const files = sourceNumbers.map((number) => `${number}=${join(folder, String(number))}`);
  const child = spawn('python3', [script, ...numbers.map(String), ...files], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, PYTHONPATH: pythonPath },
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const count = Math.min(pythonSegments, layout.segmentCount - 1);
  const scale = layout.segmentCount / count;
  return {
    async turn(): Promise<Figure | undefined> {
      child.stdin.write(`0 ${count}\n`);
      const { value, done } = await answers.next();
      if (done === true) return undefined;
      const [cpuSeconds = 0, seconds = 0] = value.split(' ').map(Number);
      return { cpuSeconds: cpuSeconds * scale, seconds: seconds * scale, loopSeconds: 0, heldMs: 0 };
    },
    stop: () => child.stdin.end(),
  };
}
