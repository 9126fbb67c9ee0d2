/**
 * Put, get and prove over the wire: `npm run bench -- transfer [words]`, `--help` for the words.
 *
 * A file on the disk is put on peers in processes of their own, got from them into a file on the disk (synced), and proven from
 * k shares, each by a process that does nothing else. Tahoe-LAFS does the same with its own client on twelve of its own nodes,
 * as many files at once and taking turns with ours; its word for a proof is a check with verify, which reads all shares and
 * not k of them. The first round of each is for warming up.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Coding } from '#mesh/coding.ts';
import { subjects } from './breakdown/profile-subjects.ts';
import { type BenchCase, type BenchOptions, median, spreadOf } from './case.ts';
import type { ProfileFigures } from './repair/protocol.ts';
import { TahoeMesh, type TahoeRound } from './repair/tahoe-mesh.ts';
import {
  isSmall,
  optionsOf,
  type TransferBenchOptions,
  type TransferCase,
  type TransferKind,
  titleOf,
  transferKinds,
  usage,
} from './transfer/cases.ts';
import { OurClients, type TransferRound } from './transfer/our-clients.ts';
import { makeSourceFile, type SourceFile } from './transfer/source-file.ts';
import { tahoeRound } from './transfer/tahoe-client.ts';

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  if (words.includes('--help')) return note(usage);
  const options = optionsOf(words);
  let tahoe: { readonly coding: Coding; readonly mesh: TahoeMesh } | undefined;
  try {
    for (const of of options.cases) {
      // A node of Tahoe has one coding for what it uploads.
      if (options.tahoe && tahoe?.coding.n !== of.coding.n) {
        await tahoe?.mesh.stop();
        tahoe = undefined;
        tahoe = { coding: of.coding, mesh: await TahoeMesh.start(of.coding) };
      }
      yield* await measure(of, options, tahoe?.mesh, note);
    }
  } finally {
    await tahoe?.mesh.stop();
  }
}

type Rounds<T> = Record<TransferKind, T[]>;

async function measure(
  of: TransferCase,
  options: TransferBenchOptions,
  tahoe: TahoeMesh | undefined,
  note: (line: string) => void,
): Promise<BenchCase[]> {
  const root = await mkdtemp(join(tmpdir(), 'meshward-bench-transfer-'));
  const ours: Rounds<TransferRound> = { put: [], get: [], prove: [] };
  const theirs: Rounds<TahoeRound> = { put: [], get: [], prove: [] };
  const firstSeconds: Partial<Record<TransferKind, number>> = {};
  const loads: number[] = [];
  const source = await makeSourceFile(join(root, 'source'), of.sizeBytes);
  const clients = await OurClients.start(root, of);
  try {
    for (let round = 0; round <= options.rounds; round++) {
      const isWarm = round > 0;
      const our = await ourRound(clients, of, source);
      const their = tahoe && (await tahoeRound(tahoe, isWarm ? of : { tahoeFiles: 1, atOnce: 1 }, source));
      for (const kind of transferKinds) {
        if (!isWarm) firstSeconds[kind] = our[kind].fileSeconds[0] ?? 0;
        else ours[kind].push(our[kind]);
        if (isWarm && their !== undefined) theirs[kind].push(their[kind]);
        const beside = their === undefined ? '' : `, Tahoe ${their[kind].seconds.toFixed(2)} s`;
        note(`${titleOf(kind, of)}: round ${round} of ${options.rounds}, ${our[kind].seconds.toFixed(2)} s${beside}`);
      }
      if (isWarm) loads.push(loadavg()[0] ?? 0);
    }
    if (options.profile !== undefined) await profile(clients, of, source, options.profile, note);
  } finally {
    await clients.stop();
    await rm(root, { recursive: true, force: true });
  }
  return transferKinds.map((kind) => caseOf(kind, of, ours[kind], theirs[kind], firstSeconds[kind] ?? 0, loads));
}

async function ourRound(
  clients: OurClients,
  of: TransferCase,
  source: SourceFile,
): Promise<Record<TransferKind, TransferRound>> {
  const put = await clients.put(of, source);
  const get = await clients.read('get', put.stored, source, of);
  const prove = await clients.read('prove', put.stored, source, of);
  await clients.forgetShares();
  return { put, get, prove };
}

function caseOf(
  kind: TransferKind,
  of: TransferCase,
  ours: readonly TransferRound[],
  theirs: readonly TahoeRound[],
  firstSeconds: number,
  loads: readonly number[],
): BenchCase {
  const [unit, amount] = isSmall(of) ? ['files/s', 1] : ['MB/s of file', of.sizeBytes / 1e6];
  const rates = ours.map((round) => (of.files * amount) / round.seconds);
  const mid = (value: (round: TransferRound) => number): number => median(ours.map(value));
  const perFile = (value: (round: TransferRound) => number): number => mid(value) / of.files;
  const perTahoeFile = (value: (round: TahoeRound) => number): number => median(theirs.map(value)) / of.tahoeFiles;
  return {
    case: titleOf(kind, of),
    unit,
    ours: median(rates),
    peers:
      theirs.length === 0 ? {} : { tahoe: median(theirs.map((round) => (of.tahoeFiles * amount) / round.seconds)) },
    spread: spreadOf(rates),
    details: {
      'files/s': mid((round) => of.files / round.seconds),
      's a file': median(ours.flatMap((round) => round.fileSeconds)),
      's the first file, with no connection yet': firstSeconds,
      'CPU s a file, client': perFile((round) => round.clientCpuSeconds),
      'CPU s a file, peers': perFile((round) => round.peersCpuSeconds),
      ...(theirs.length > 0 && {
        'Tahoe: CPU s a file, client': perTahoeFile((round) => round.clientCpuSeconds),
        'Tahoe: CPU s a file, nodes': perTahoeFile((round) => round.nodesCpuSeconds),
      }),
      'requests a file': perFile((round) => round.requests),
      'round trips a file': mid((round) => round.roundTrips),
      'syncs of peers a file': perFile((round) => round.syncs),
      'ms waited in our queue, a request': mid((round) => (round.queuedSeconds * 1e3) / round.requests),
      'ms waited for a peer, a request': mid((round) => (round.waitedSeconds * 1e3) / round.requests),
      'ms longest stall': mid((round) => round.stallMs),
      'MiB client at its peak': Math.max(...ours.map((round) => round.peakMiB)),
      'load of the machine': median(loads),
    },
  };
}

async function profile(
  clients: OurClients,
  of: TransferCase,
  source: SourceFile,
  folder: string,
  note: (line: string) => void,
): Promise<void> {
  const tell = (kind: TransferKind, figures: Record<string, ProfileFigures[]>): void => {
    for (const [who, each] of Object.entries(figures)) {
      const sum = (value: (one: ProfileFigures) => number): string =>
        each.reduce((total, one) => total + value(one), 0).toFixed(2);
      const parts = subjects.map((name) => `${name} ${sum((one) => one.loopUs[name] / 1e6)}`);
      const cpu = sum((one) => one.cpuSeconds);
      note(`${kind}, ${who}, seconds of the event loop: ${parts.join(', ')}; CPU s of all threads ${cpu}`);
    }
  };
  let stored: TransferRound['stored'] = [];
  tell(
    'put',
    await clients.profiled('put', folder, async () => {
      stored = (await clients.put(of, source)).stored;
    }),
  );
  for (const kind of ['get', 'prove'] as const) {
    tell(kind, await clients.profiled(kind, folder, () => clients.read(kind, stored, source, of)));
  }
}
