/**
 * The share map from ten thousand to ten million files: memory, events, sweeps on one thread and two, pauses beside a sweep,
 * snapshots; beside the same rules on JavaScript's own maps and a ClickHouse that counts the same placements.
 * `npm run bench -- share-map [K-of-N …] [FILES …]`, by default 25-of-100 at 10000 100000 1000000. 10000000 needs 6 GB.
 * `bench/share-map/draw.ts` draws what `--json` prints.
 */
import { freemem } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { type Coding, formatCoding } from '#mesh/coding.ts';
import { NativeShareMap, type PeerColumns } from '#native/share-map.ts';
import { type BenchCase, type BenchOptions, median, spreadOf } from './case.ts';
import { measureClickHouse, type QueryFigures } from './share-map/clickhouse.ts';
import { residentBytes } from './share-map/memory.ts';
import {
  applyAll,
  applyRandom,
  atMs,
  cpuMilliseconds,
  drain,
  Mesh,
  newMap,
  peerCount,
  wallMilliseconds,
} from './share-map/mesh.ts';
import { measurePlainMaps, type PlainFigures } from './share-map/plain-maps.ts';

const rounds = 7;
/** JavaScript's own maps take some 200 bytes a share and end where they would take more than 4 GB. */
const mostPlainShares = 4e9 / 200;
/** ClickHouse ends where it would have so many rows, or where one step takes so long. */
const mostQueryShares = 100_000_000;
const mostQueryStepMs = 300_000;
const bytesPerShareNeeded = 6;
/** Beyond these one inventory of all is enough, and a sweep that tells of every file is not what is done. */
const mostChangedFiles = 1_000_000;
const besideMs = 400;
const eventsBeside = 1000;

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  const codings = words.map((word) => /^(\d+)-of-(\d+)$/.exec(word)).filter((found) => found !== null);
  const sizes = words.filter((word) => /^\d+$/.test(word)).map(Number);
  const kinds = codings.length > 0 ? codings.map(([, k, n]) => ({ k: Number(k), n: Number(n) })) : [{ k: 25, n: 100 }];
  let isFirst = true;
  for (const coding of kinds) {
    for (const files of sizes.length > 0 ? sizes : [10_000, 100_000, 1_000_000]) {
      yield* atSize(files, coding, note, isFirst);
      isFirst = false;
    }
  }
}

async function* atSize(
  files: number,
  coding: Coding,
  note: (line: string) => void,
  isFirst: boolean,
): AsyncIterable<BenchCase> {
  const title = `${formatCoding(coding)}, ${files.toLocaleString('en')} files`;
  const shares = files * coding.n;
  note(title);
  if (freemem() < shares * bytesPerShareNeeded) {
    note(
      `${title}: not measured, ${Math.round(freemem() / 1e9)} GB are free and ${shares * bytesPerShareNeeded} bytes are needed`,
    );
    return;
  }
  const mesh = new Mesh(files, coding);
  const others = await measureOthers(mesh, title, note);
  const { plain, query } = others;

  const before = await residentBytes();
  const map = newMap(mesh);
  const first = applyAll(map, mesh, 1);
  drain(map);
  const resident = (await residentBytes()) - before;
  yield figure(`${title}: memory`, 'bytes/share', [map.memoryBytes / shares], {
    ...ofPlain(plain && plain.bytes / shares),
    ...ofTable(query && query.tableBytes / shares),
  });
  yield figure(`${title}: memory in all`, 'MB', [map.memoryBytes / 1e6], {
    ...ofPlain(plain && plain.bytes / 1e6),
    ...ofQuery(query && query.queryBytes / 1e6),
  });
  // Where other maps were in this process before, their memory is used again.
  if (isFirst && plain === null) yield figure(`${title}: resident memory`, 'bytes/share', [resident / shares], {});
  yield figure(`${title}: first inventories`, 'events/CPU s', [first], ofPlain(plain?.eventsPerSecond));
  if (files <= mostChangedFiles) {
    yield figure(`${title}: inventories again`, 'events/CPU s', [applyAll(map, mesh, 2)], {});
  }
  drain(map);

  map.sweepNow({ atMs, mostChanged: 100_000 });
  const times = sweepTimes(map, mesh);
  yield figure(`${title}: sweep`, 'CPU ms', times.plain, { ...ofPlain(plain?.sweepMs), ...ofQuery(query?.queryMs) });
  yield figure(`${title}: sweep with confidences`, 'CPU ms', times.weighed, { 'all full': median(times.plain) });
  yield figure(`${title}: sweep on two threads`, 'ms', [Math.min(...times.two)], {
    'one thread': Math.min(...times.one),
  });
  if (files <= mostChangedFiles) {
    yield figure(`${title}: sweep, every file changed`, 'CPU ms', changedTimes(map, mesh), {});
  }
  yield* await besideSweeps(map, mesh, title);
  if (freemem() > shares * bytesPerShareNeeded * 2) yield* snapshots(map, title);
  yield figure(
    `${title}: events of random files`,
    'events/CPU s',
    repeat(rounds, () => applyRandom(map, mesh)),
    {},
  );
}

async function measureOthers(
  mesh: Mesh,
  title: string,
  note: (line: string) => void,
): Promise<{ plain: PlainFigures | null; query: QueryFigures | null }> {
  const shares = mesh.files * mesh.coding.n;
  const plain = shares <= mostPlainShares ? measurePlainMaps(mesh) : null;
  if (plain === null)
    note(`${title}: JavaScript maps stop here, they would take some ${Math.round(shares * 200e-9)} GB`);
  const query = shares <= mostQueryShares ? await measureClickHouse(mesh, mostQueryStepMs) : null;
  if (query === null)
    note(`${title}: ClickHouse stops here, a step would take more than ${mostQueryStepMs / 60_000} minutes`);
  return { plain, query };
}

/** In turns, so that what else the machine does falls on all of them; two threads can only be timed by the wall, at their best. */
function sweepTimes(map: NativeShareMap, mesh: Mesh): Record<'plain' | 'weighed' | 'one' | 'two', readonly number[]> {
  const confidences = Uint16Array.from({ length: peerCount }, (_, peer) => peer % 1001);
  const sweep = (threads: number) => (): unknown => map.sweepNow({ atMs, threads, mostChanged: 1000 });
  // CPU time comes in coarse steps, so a short sweep is timed several times over.
  const runs = Math.ceil(200_000 / mesh.files);
  const cpu = (): number => cpuMilliseconds(() => repeat(runs, sweep(1))) / runs;
  const times = { plain: [] as number[], weighed: [] as number[], one: [] as number[], two: [] as number[] };
  for (let i = 0; i < rounds; i++) {
    map.setPeers({ ...mesh.peers(0), confidences });
    sweep(1)();
    times.weighed.push(cpu());
    map.setPeers(mesh.peers(0));
    sweep(1)();
    times.plain.push(cpu());
    times.one.push(wallMilliseconds(sweep(1)));
    times.two.push(wallMilliseconds(sweep(2)));
  }
  return times;
}

function changedTimes(map: NativeShareMap, mesh: Mesh): readonly number[] {
  const sweepWith = (peers: PeerColumns): number => {
    map.setPeers(peers);
    return cpuMilliseconds(() => map.sweepNow({ atMs, mostChanged: mostChangedFiles }));
  };
  const times = repeat(rounds, (i) => sweepWith(mesh.peers(i + 1)));
  sweepWith(mesh.peers(0));
  return times;
}

/**
 * Batches of 1,000 events of random files, all the while that sweeps run on another thread: the longest that one took, and the
 * longest for which the event loop did not come round. Beside them the same without a sweep, since a batch takes its time and
 * a busy machine takes some more.
 */
async function besideSweeps(map: NativeShareMap, mesh: Mesh, title: string): Promise<readonly BenchCase[]> {
  const longest = {
    apply: [] as number[],
    turn: [] as number[],
    applyAlone: [] as number[],
    turnAlone: [] as number[],
  };
  for (let round = 0; round < rounds; round++) {
    for (const sweeps of [true, false]) {
      const { apply, turn } = await applyFor(map, mesh, sweeps);
      (sweeps ? longest.apply : longest.applyAlone).push(apply);
      (sweeps ? longest.turn : longest.turnAlone).push(turn);
    }
  }
  drain(map);
  return [
    figure(`${title}: longest batch beside a sweep`, 'ms', longest.apply, {
      'without a sweep': median(longest.applyAlone),
    }),
    figure(`${title}: longest turn beside a sweep`, 'ms', longest.turn, {
      'without a sweep': median(longest.turnAlone),
    }),
  ];
}

async function applyFor(map: NativeShareMap, mesh: Mesh, sweeps: boolean): Promise<{ apply: number; turn: number }> {
  const endsAt = performance.now() + besideMs;
  let sweeping = 0;
  const longest = { apply: 0, turn: 0 };
  const batches = Array.from({ length: 50 }, () => mesh.randomBatch(eventsBeside));
  for (let i = 0; performance.now() < endsAt || sweeping > 0; i++) {
    if (sweeps && sweeping === 0 && performance.now() < endsAt) {
      sweeping++;
      void map.sweep({ atMs, mostChanged: 1000 }).finally(() => sweeping--);
    }
    const started = performance.now();
    const { peer, indexes, shares, kinds } = batches[i % batches.length] as (typeof batches)[number];
    const apply = wallMilliseconds(() => map.apply(peer, 2, indexes, shares, kinds));
    await wait(0);
    longest.apply = Math.max(longest.apply, apply);
    longest.turn = Math.max(longest.turn, performance.now() - started);
    if (i % 500 === 0) map.takePlacements(100_000);
  }
  return longest;
}

function* snapshots(map: NativeShareMap, title: string): Iterable<BenchCase> {
  const [writes, reads]: [number[], number[]] = [[], []];
  for (let i = 0; i < 3; i++) {
    const copy = new NativeShareMap({ maxFiles: 1e8, settleMs: 0 });
    let [bytes, writeMs, readMs] = [0, 0, 0];
    const parts = map.snapshot();
    for (;;) {
      let next: IteratorResult<Uint8Array, void> | undefined;
      writeMs += cpuMilliseconds(() => (next = parts.next()));
      if (next === undefined || next.done === true) break;
      const part = next.value;
      bytes += part.length;
      readMs += cpuMilliseconds(() => copy.readSnapshotPart(part));
    }
    writes.push(bytes / writeMs / 1e6);
    reads.push(bytes / readMs / 1e6);
  }
  yield figure(`${title}: snapshot`, 'GB/CPU s', writes, {});
  yield figure(`${title}: load`, 'GB/CPU s', reads, {});
}

const named =
  (name: string) =>
  (value: number | null | undefined): Record<string, number> =>
    value === null || value === undefined || Number.isNaN(value) ? {} : { [name]: value };
const ofPlain = named('JavaScript maps');
const ofQuery = named('ClickHouse query');
const ofTable = named('ClickHouse table');

function figure(title: string, unit: string, values: readonly number[], peers: Record<string, number>): BenchCase {
  return { case: title, unit, ours: median(values), peers, spread: spreadOf(values) };
}

const repeat = <T>(times: number, measure: (i: number) => T): T[] =>
  Array.from({ length: times }, (_, i) => measure(i));
