/**
 * The share map: memory a share, events, sweeps, snapshots; against the same rules on JavaScript maps and against ClickHouse
 * counting the same placements. `npm run bench -- share-map [FILES …]`, by default 10000 100000 1000000 (10000000 needs 5 GB).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PeerTable } from '#analyzer/share-map/peer-table.ts';
import { PlainShareMap } from '#analyzer/share-map/plain-share-map.ts';
import { startEmbeddedClickHouse } from '#analyzer/store/embedded/server.ts';
import { type Coding, formatCoding } from '#mesh/coding.ts';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { NativeShareMap, type PeerColumns, peerFlags } from '#native/share-map.ts';
import { type BenchCase, type BenchOptions, median, spreadOf } from './case.ts';

const peerCount = 10_000;
const kinds = 4;
const domainsPerKind = 16;
const eventsPerBatch = 20_000;
const rounds = 5;
/** JavaScript's own maps take some 120 bytes a share, and ClickHouse its time: they are asked at sizes they can bear. */
const mostPlainShares = 1_000_000;
const mostQueryShares = 10_000_000;
const atMs = 1_700_000_000_000;

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  const sizes = words.length > 0 ? words.map(Number) : [10_000, 100_000, 1_000_000];
  for (const coding of [
    { k: 25, n: 100 },
    { k: 3, n: 10 },
  ]) {
    for (const files of sizes) yield* atSize(files, coding, note);
  }
}

async function* atSize(files: number, coding: Coding, note: (line: string) => void): AsyncIterable<BenchCase> {
  const title = `${formatCoding(coding)}, ${files.toLocaleString('en')} files`;
  note(title);
  const mesh = new Mesh(files, coding);
  const shares = files * coding.n;
  const of = (value: number | undefined): Record<string, number> =>
    value === undefined ? {} : { 'JavaScript maps': value };

  const before = await residentBytes();
  const map = newMap(mesh);
  const first = applyAll(map, mesh, 1);
  takeChanges(map);
  const resident = (await residentBytes()) - before;
  drain(map);
  const plain = shares <= mostPlainShares ? measurePlain(mesh) : null;
  yield figure(`${title}: memory`, 'bytes/share', [map.memoryBytes / shares], of(plain?.bytesPerShare));
  yield figure(`${title}: resident memory`, 'bytes/share', [resident / shares], of(plain?.bytesPerShare));
  yield figure(`${title}: first inventories`, 'events/s', [first], of(plain?.eventsPerSecond));
  yield figure(
    `${title}: one peer's inventory again`,
    'events/s',
    repeat(3, (i) => applyAll(map, mesh, 2 + i)),
    {},
  );
  drain(map);
  yield figure(
    `${title}: events of random files`,
    'events/s',
    repeat(rounds, () => applyRandom(map, mesh)),
    {},
  );
  drain(map);
  const clean = newMap(mesh);
  applyAll(clean, mesh, 1);
  drain(clean);
  clean.sweepNow({ atMs });
  const sweeps = repeat(rounds, () => milliseconds(() => clean.sweepNow({ atMs })));
  const changes = repeat(rounds, (i) => {
    clean.setPeers(mesh.peers(i + 1));
    return milliseconds(() => clean.sweepNow({ atMs }));
  });
  const query = shares <= mostQueryShares ? { 'ClickHouse available only': await queryMs(mesh) } : {};
  yield figure(`${title}: sweep`, 'ms', sweeps, {
    ...(plain === null ? {} : { 'JavaScript maps': plain.sweepMs }),
    ...query,
  });
  yield figure(
    `${title}: sweep per million files`,
    'ms',
    sweeps.map((ms) => (ms / files) * 1e6),
    {},
  );
  yield figure(
    `${title}: the same, every file changed`,
    'ms',
    changes.map((ms) => (ms / files) * 1e6),
    {},
  );
  yield figure(`${title}: longest pause in a sweep beside`, 'ms', [await longestPause(clean, mesh)], {});
  yield* snapshots(clean, title);
}

function* snapshots(map: NativeShareMap, title: string): Iterable<BenchCase> {
  const writes: number[] = [];
  const reads: number[] = [];
  for (let i = 0; i < 3; i++) {
    const copy = new NativeShareMap({ maxFiles: 1e8, settleMs: 0 });
    let bytes = 0;
    let writeMs = 0;
    let readMs = 0;
    const parts = map.snapshot();
    for (;;) {
      const started = performance.now();
      const { value: part, done } = parts.next();
      writeMs += performance.now() - started;
      if (done === true) break;
      bytes += part.length;
      readMs += milliseconds(() => copy.readSnapshotPart(part));
    }
    writes.push(bytes / writeMs / 1e6);
    reads.push(bytes / readMs / 1e6);
  }
  yield figure(`${title}: snapshot`, 'GB/s', writes, {});
  yield figure(`${title}: load`, 'GB/s', reads, {});
}

/** Files whose shares lie on consecutive peers, so that every peer holds as many; each peer tells its own in one order. */
class Mesh {
  readonly files: number;
  readonly coding: Coding;
  readonly storageIndexes: Uint8Array;
  #state = 88172645;

  constructor(files: number, coding: Coding) {
    this.files = files;
    this.coding = coding;
    this.storageIndexes = new Uint8Array(files * 16);
    const words = new Uint32Array(this.storageIndexes.buffer);
    for (let i = 0; i < words.length; i++) words[i] = this.next();
  }

  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }

  /** States differ with `turn`, so that no sweep finds what the last one found. */
  peers(turn: number): PeerColumns {
    const up = peerFlags.available | peerFlags.counted | peerFlags.retained;
    return {
      flags: Uint8Array.from({ length: peerCount }, (_, peer) =>
        (peer * 7 + turn) % 10 === 0 ? peerFlags.retained : up,
      ),
      domains: Uint16Array.from(
        { length: peerCount * kinds },
        (_, i) => Math.floor(i / kinds) ** (1 + (i % kinds)) % domainsPerKind,
      ),
      domainCounts: new Uint32Array(kinds).fill(domainsPerKind),
    };
  }

  /** The batches of every peer, one peer after another; the arrays are used again. */
  *batches(): Generator<{ peer: number; indexes: Uint8Array; shares: Uint8Array; kinds: Uint8Array }> {
    const { n } = this.coding;
    const groups = peerCount / n;
    const indexes = new Uint8Array(eventsPerBatch * 16);
    const [to, from] = [new Uint32Array(indexes.buffer), new Uint32Array(this.storageIndexes.buffer)];
    const shares = new Uint8Array(eventsPerBatch);
    const kindColumn = new Uint8Array(eventsPerBatch).fill(1);
    for (let peer = 0; peer < peerCount; peer++) {
      let count = 0;
      for (let file = peer % groups; file < this.files; file += groups) {
        for (let word = 0; word < 4; word++) to[count * 4 + word] = from[file * 4 + word] as number;
        shares[count++] = (Math.floor(peer / groups) + Math.floor(file / groups)) % n;
        if (count === eventsPerBatch || file + groups >= this.files) {
          yield {
            peer,
            indexes: indexes.subarray(0, count * 16),
            shares: shares.subarray(0, count),
            kinds: kindColumn.subarray(0, count),
          };
          count = 0;
        }
      }
    }
  }
}

function newMap(mesh: Mesh): NativeShareMap {
  const map = new NativeShareMap({ maxFiles: 1e8, settleMs: 0 });
  const { repairBelow } = defaultPolicy(mesh.coding);
  const fileClass = map.addClass({ ...mesh.coding, repairBelow, policy: 0, byOwner: true });
  map.setPeers(mesh.peers(0));
  for (let from = 0; from < mesh.files; from += 5000) {
    const count = Math.min(5000, mesh.files - from);
    map.registerFiles(
      {
        storageIndexes: mesh.storageIndexes.subarray(from * 16, (from + count) * 16),
        uebHashes: new Uint8Array(count * 32),
        sizesBytes: new Float64Array(count).fill(10e6),
        classes: new Uint32Array(count).fill(fileClass),
      },
      atMs,
    );
  }
  return map;
}

/** @returns events a second. */
function applyAll(map: NativeShareMap, mesh: Mesh, generation: number): number {
  let events = 0;
  let ms = 0;
  for (const { peer, indexes, shares, kinds: kindColumn } of mesh.batches()) {
    ms += milliseconds(() => map.apply(peer, generation, indexes, shares, kindColumn));
    events += shares.length;
    if (events % 1_000_000 < shares.length) takeChanges(map);
  }
  return (events / ms) * 1000;
}

/** A share of a random file is lost on its peer, or stored again: the map's state stays like what it was. */
function applyRandom(map: NativeShareMap, mesh: Mesh): number {
  const count = Math.min(eventsPerBatch, mesh.files * 2);
  let ms = 0;
  const batches = 25;
  for (let batch = 0; batch < batches; batch++) {
    const indexes = new Uint8Array(count * 16);
    const shares = new Uint8Array(count);
    const kindColumn = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const file = mesh.next() % mesh.files;
      for (let byte = 0; byte < 16; byte++) indexes[i * 16 + byte] = mesh.storageIndexes[file * 16 + byte] as number;
      shares[i] = mesh.next() % mesh.coding.n;
      kindColumn[i] = mesh.next() % 2 === 0 ? 1 : 3;
    }
    ms += milliseconds(() => map.apply(mesh.next() % peerCount, 1, indexes, shares, kindColumn));
  }
  return ((count * batches) / ms) * 1000;
}

/** The longest time for which the event loop did not come round, with batches applied all the while. */
async function longestPause(map: NativeShareMap, mesh: Mesh): Promise<number> {
  let swept = false;
  const sweeping = map.sweep({ atMs, threads: 2, mostChanged: 1000 }).then(() => {
    swept = true;
  });
  let longest = 0;
  while (!swept) {
    const index = (mesh.next() % mesh.files) * 16;
    const started = performance.now();
    const one = mesh.storageIndexes.subarray(index, index + 16);
    map.apply(mesh.next() % peerCount, 1, one, new Uint8Array(1), new Uint8Array([1]));
    await wait(0);
    longest = Math.max(longest, performance.now() - started);
  }
  await sweeping;
  drain(map);
  return longest;
}

function drain(map: NativeShareMap): void {
  takeChanges(map);
  map.look(atMs);
}

function takeChanges(map: NativeShareMap): void {
  while (map.takePlacements(50_000).left > 0);
  map.takeFiles();
}

function measurePlain(mesh: Mesh): { bytesPerShare: number; eventsPerSecond: number; sweepMs: number } {
  const peers = new PeerTable();
  const ids = Array.from({ length: peerCount }, (_, i) => {
    const bytes = new Uint8Array(32);
    new DataView(bytes.buffer).setUint32(0, i);
    return peerIdFromBytes(bytes);
  });
  const columns = mesh.peers(0);
  ids.forEach((peer, number) => {
    peers.setState(peer, columns.flags[number] === peerFlags.retained ? 'down' : 'up');
    const named = Array.from({ length: kinds }, (_, kind) => [
      `kind${kind}`,
      `d${columns.domains[number * kinds + kind]}`,
    ]);
    peers.setDomains(peer, Object.fromEntries(named) as Record<string, string>);
  });
  const before = usedBytes();
  const map = new PlainShareMap({ peers, policyFor: defaultPolicy, maxFiles: 1e8, settleMs: 0 });
  const none = new Uint8Array(0);
  const origin = 'owner' as const;
  let sequence = 0;
  const order = () => ({ incarnation: 1, sequence: ++sequence });
  map.apply(
    {
      ...order(),
      peer: ids[0] as (typeof ids)[number],
      storageIndexes: none,
      shareNumbers: none,
      kinds: none,
      registrations: Array.from({ length: mesh.files }, (_, file) => {
        const storageIndex = storageIndexFromBytes(mesh.storageIndexes, file * 16);
        return {
          manifest: { storageIndex, uebHash: new Uint8Array(32), ...mesh.coding, sizeBytes: 10e6 },
          origin,
          tag: '',
        };
      }),
      deletedFiles: none,
      inventory: null,
    },
    atMs,
  );
  let ms = 0;
  let events = 0;
  for (const { peer, indexes, shares, kinds: kindColumn } of mesh.batches()) {
    const batch = {
      storageIndexes: indexes,
      shareNumbers: shares,
      kinds: kindColumn,
      registrations: [],
      deletedFiles: none,
    };
    ms += milliseconds(() =>
      map.apply({ ...order(), ...batch, peer: ids[peer] as (typeof ids)[number], inventory: null }, atMs),
    );
    events += shares.length;
  }
  map.takeChanges();
  const bytesPerShare = (usedBytes() - before) / events;
  const sweepMs = milliseconds(() => map.sweep(atMs));
  return { bytesPerShare, eventsPerSecond: (events / ms) * 1000, sweepMs };
}

/** Counts available shares of every file, which is a part of what a sweep finds. */
async function queryMs(mesh: Mesh): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'meshward-bench-'));
  const server = await startEmbeddedClickHouse({ directory, memoryLimitBytes: 3 * 1024 ** 3 });
  try {
    const query = async (text: string): Promise<void> => {
      const credentials = Buffer.from(`${server.username}:${server.password}`).toString('base64');
      const headers = { Authorization: `Basic ${credentials}` };
      const answer = await fetch(`${server.url}/?max_threads=1`, { method: 'POST', headers, body: text });
      const words = await answer.text();
      if (!answer.ok) throw new Error(words.slice(0, 500));
    };
    const { n } = mesh.coding;
    await query('CREATE DATABASE bench ENGINE = Atomic');
    await query(
      'CREATE TABLE bench.placements (file FixedString(16), share UInt8, peer UInt32) ENGINE = MergeTree ORDER BY (file, share)',
    );
    await query(
      `INSERT INTO bench.placements SELECT sipHash128(intDiv(number, ${n})), number % ${n}, (intDiv(number, ${n}) + number % ${n} * 101) % ${peerCount} FROM numbers(${mesh.files * n})`,
    );
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const started = performance.now();
      await query(
        'SELECT available, count() FROM (SELECT file, uniqExactIf(share, peer % 10 != 0) AS available FROM bench.placements GROUP BY file) GROUP BY available FORMAT Null',
      );
      times.push(performance.now() - started);
    }
    return median(times);
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

function figure(title: string, unit: string, values: readonly number[], peers: Record<string, number>): BenchCase {
  return { case: title, unit, ours: median(values), peers, spread: spreadOf(values) };
}

const repeat = (times: number, measure: (i: number) => number): number[] =>
  Array.from({ length: times }, (_, i) => measure(i));

function milliseconds(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

/** What the addon gave to JavaScript is freed when the event loop comes round after a collection. */
async function residentBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await wait(10);
  }
  return process.memoryUsage.rss();
}

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
