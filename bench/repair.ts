/**
 * Repair over the wire: `npm run bench -- repair [words]`, `--help` for the words.
 *
 * Files lie on peers in processes of their own, as their damage has left them; a repairer in another process restores what is
 * missing. Tahoe-LAFS repairs the same files, as many at once, with its own client on twelve of its own nodes, taking turns with
 * ours. The first round of each is for warming up.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { subjects } from './breakdown/profile-subjects.ts';
import { breakdownTables } from './breakdown/tables.ts';
import { type BenchCase, type BenchOptions, type Breakdown, median, spreadOf } from './case.ts';
import { keptOf, optionsOf, type RepairBenchOptions, type RepairCase, titleOf, usage } from './repair/cases.ts';
import { type MadeFile, makeFile } from './repair/files.ts';
import { OurMesh, type OurRound } from './repair/our-mesh.ts';
import { TahoeMesh, type TahoeRound } from './repair/tahoe-mesh.ts';

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  if (words.includes('--help')) return note(usage);
  const options = optionsOf(words);
  const tahoe = options.tahoe ? await TahoeMesh.start() : undefined;
  try {
    for (const one of options.cases) yield await measure(one, options, tahoe, note);
  } finally {
    await tahoe?.stop();
  }
}

async function measure(
  of: RepairCase,
  options: RepairBenchOptions,
  tahoe: TahoeMesh | undefined,
  note: (line: string) => void,
): Promise<BenchCase> {
  const root = await mkdtemp(join(tmpdir(), 'meshward-bench-repair-'));
  const ours: OurRound[] = [];
  const theirs: TahoeRound[] = [];
  const loads: number[] = [];
  const made = await makeFile(of.coding, of.sizeBytes);
  const mesh = await OurMesh.start(root, of);
  let breakdown: Breakdown | undefined;
  try {
    for (let round = 0; round <= options.rounds; round++) {
      const isWarm = round > 0;
      const our = await mesh.repair(await mesh.prepare(of, made, of.files), of.atOnce);
      // Tahoe has no need for a whole round of files: it takes long enough over as many as it does at once.
      const their = await tahoe?.repair(await tahoe.prepare(of, made, isWarm ? of.atOnce : 1), isWarm ? of.atOnce : 1);
      if (isWarm) {
        ours.push(our);
        loads.push(loadavg()[0] ?? 0);
        if (their !== undefined) theirs.push(their);
      }
      note(
        `${titleOf(of)}: round ${round} of ${options.rounds}, ${our.seconds.toFixed(2)} s${their ? `, Tahoe ${their.seconds.toFixed(2)} s` : ''}`,
      );
    }
    if (options.breakdown) breakdown = await breakDown(of, made, mesh, note);
    if (options.profile !== undefined) await profile(of, made, mesh, options.profile, note);
  } finally {
    await mesh.stop();
    await rm(root, { recursive: true, force: true });
  }
  return { ...caseOf(of, made, ours, theirs, loads), ...(breakdown && { breakdown }) };
}

function caseOf(of: RepairCase, made: MadeFile, ours: OurRound[], theirs: TahoeRound[], loads: number[]): BenchCase {
  const isSmall = of.sizeBytes < 100_000;
  const [unit, amount] = isSmall ? ['files/s', 1] : ['MB/s of file', of.sizeBytes / 1e6];
  const rates = ours.map((round) => (of.files * amount) / round.seconds);
  const mid = (value: (round: OurRound) => number): number => median(ours.map(value));
  const perFile = (value: (round: OurRound) => number): number => mid(value) / of.files;
  const needed = (round: OurRound): number =>
    of.files * of.coding.k * Math.ceil(of.sizeBytes / of.coding.k) + round.sharesWritten * made.shareBytes;
  const regenerated = (round: OurRound): number => (round.sharesWritten * made.shareBytes) / 1e9;
  const restoredShares = of.coding.n - keptOf(of);
  return {
    case: titleOf(of),
    unit,
    ours: median(rates),
    peers: theirs.length === 0 ? {} : { tahoe: median(theirs.map((round) => (of.atOnce * amount) / round.seconds)) },
    spread: spreadOf(rates),
    details: {
      'files/s': mid((round) => of.files / round.seconds),
      's a file': median(ours.flatMap((round) => round.fileSeconds)),
      'CPU s a file, repairer': perFile((round) => round.repairerCpuSeconds),
      'CPU s a file, peers': perFile((round) => round.peersCpuSeconds),
      'CPU s a GB regenerated': mid((round) => (round.repairerCpuSeconds + round.peersCpuSeconds) / regenerated(round)),
      ...tahoeDetails(of, theirs, (restoredShares * made.shareBytes) / 1e9),
      'requests a file': perFile((round) => round.requests),
      'round trips a file': mid((round) => round.roundTrips),
      'KB beyond the needed, a file': perFile((round) => (round.bytesRead + round.bytesWritten - needed(round)) / 1e3),
      'syncs a file': perFile((round) => round.syncs),
      'ms waited in our queue, a request': mid((round) => (round.queuedSeconds * 1e3) / round.requests),
      'ms waited for a peer, a request': mid((round) => (round.waitedSeconds * 1e3) / round.requests),
      'ms longest stall': mid((round) => round.stallMs),
      'MiB repairer at its peak': Math.max(...ours.map((round) => round.peakMiB)),
      connections: mid((round) => round.connections),
      'load of the machine': median(loads),
    },
  };
}

function tahoeDetails(of: RepairCase, theirs: readonly TahoeRound[], gigabytes: number): Record<string, number> {
  if (theirs.length === 0) return {};
  const perFile = (value: (round: TahoeRound) => number): number => median(theirs.map(value)) / of.atOnce;
  return {
    'Tahoe: CPU s a file, client': perFile((round) => round.clientCpuSeconds),
    'Tahoe: CPU s a file, nodes': perFile((round) => round.nodesCpuSeconds),
    'Tahoe: CPU s a GB regenerated': perFile((round) => round.clientCpuSeconds + round.nodesCpuSeconds) / gigabytes,
  };
}

async function breakDown(
  of: RepairCase,
  made: MadeFile,
  mesh: OurMesh,
  note: (line: string) => void,
): Promise<Breakdown> {
  const files = await mesh.prepare(of, made, of.files);
  const watched = await mesh.watched(async () => {
    const { seconds } = await mesh.repair(files, of.atOnce);
    note(`${titleOf(of)}: the round that is broken down, ${seconds.toFixed(2)} s`);
  });
  return breakdownTables(watched);
}

async function profile(
  of: RepairCase,
  made: MadeFile,
  mesh: OurMesh,
  folder: string,
  note: (line: string) => void,
): Promise<void> {
  const files = await mesh.prepare(of, made, of.files);
  const figures = await mesh.profiled(folder, () => mesh.repair(files, of.atOnce));
  for (const [who, each] of Object.entries(figures)) {
    const parts = subjects.map((name) => {
      const seconds = each.reduce((sum, one) => sum + one.loopUs[name], 0) / 1e6;
      return `${name} ${seconds.toFixed(2)}`;
    });
    const cpuSeconds = each.reduce((sum, one) => sum + one.cpuSeconds, 0);
    note(`${who}, seconds of the event loop: ${parts.join(', ')}; CPU s of all threads ${cpuSeconds.toFixed(2)}`);
  }
}
