/** The mesh that share maps are measured on, and what it says of itself. */
import type { Coding } from '#mesh/coding.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { NativeShareMap, type PeerColumns, peerFlags } from '#native/share-map.ts';

export const peerCount = 10_000;
export const domainKinds = 4;
export const atMs = 1_700_000_000_000;
const domainsPerKind = 16;
const eventsPerBatch = 20_000;
const registrationsPerCall = 5000;

export interface EventColumns {
  readonly peer: number;
  readonly indexes: Uint8Array;
  readonly shares: Uint8Array;
  readonly kinds: Uint8Array;
}

/** Files whose shares lie on consecutive peers, so that every peer holds as many; each peer tells its own in one order. */
export class Mesh {
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

  /** A tenth of the peers is down; which, differs with `turn`, so that no sweep finds what the last one found. */
  peers(turn: number): PeerColumns {
    const up = peerFlags.available | peerFlags.counted | peerFlags.retained;
    return {
      flags: Uint8Array.from({ length: peerCount }, (_, peer) =>
        (peer * 7 + turn) % 10 === 0 ? peerFlags.retained : up,
      ),
      domains: Uint16Array.from(
        { length: peerCount * domainKinds },
        (_, i) => Math.floor(i / domainKinds) ** (1 + (i % domainKinds)) % domainsPerKind,
      ),
      domainCounts: new Uint32Array(domainKinds).fill(domainsPerKind),
    };
  }

  /** The batches of every peer, one peer after another; the arrays are used again. */
  *batches(): Generator<EventColumns> {
    const { n } = this.coding;
    const groups = peerCount / n;
    const indexes = new Uint8Array(eventsPerBatch * 16);
    const [to, from] = [new Uint32Array(indexes.buffer), new Uint32Array(this.storageIndexes.buffer)];
    const shares = new Uint8Array(eventsPerBatch);
    const kinds = new Uint8Array(eventsPerBatch).fill(1);
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
            kinds: kinds.subarray(0, count),
          };
          count = 0;
        }
      }
    }
  }

  /** Shares of random files, lost on a peer or stored there: a map stays about as full as it was. */
  randomBatch(count = Math.min(eventsPerBatch, this.files * 2)): EventColumns {
    const indexes = new Uint8Array(count * 16);
    const [to, from] = [new Uint32Array(indexes.buffer), new Uint32Array(this.storageIndexes.buffer)];
    const shares = new Uint8Array(count);
    const kinds = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const file = this.next() % this.files;
      for (let word = 0; word < 4; word++) to[i * 4 + word] = from[file * 4 + word] as number;
      shares[i] = this.next() % this.coding.n;
      kinds[i] = this.next() % 2 === 0 ? 1 : 3;
    }
    return { peer: this.next() % peerCount, indexes, shares, kinds };
  }
}

/** Every file registered, and no share of any. */
export function newMap(mesh: Mesh): NativeShareMap {
  const map = new NativeShareMap({ maxFiles: 1e8, settleMs: 0 });
  const { repairBelow } = defaultPolicy(mesh.coding);
  const fileClass = map.addClass({ ...mesh.coding, repairBelow, policy: 0, byOwner: true });
  map.setPeers(mesh.peers(0));
  for (let from = 0; from < mesh.files; from += registrationsPerCall) {
    const count = Math.min(registrationsPerCall, mesh.files - from);
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

/** Every peer's inventory. @returns events a CPU second. */
export function applyAll(map: NativeShareMap, mesh: Mesh, generation: number): number {
  let events = 0;
  let ms = 0;
  for (const { peer, indexes, shares, kinds } of mesh.batches()) {
    ms += cpuMilliseconds(() => map.apply(peer, generation, indexes, shares, kinds));
    events += shares.length;
    if (events % 1_000_000 < shares.length) takeChanges(map);
  }
  return (events / ms) * 1000;
}

/** @returns events a CPU second. */
export function applyRandom(map: NativeShareMap, mesh: Mesh): number {
  let events = 0;
  let ms = 0;
  for (let batch = 0; batch < 25; batch++) {
    const { peer, indexes, shares, kinds } = mesh.randomBatch();
    ms += cpuMilliseconds(() => map.apply(peer, 1, indexes, shares, kinds));
    events += shares.length;
  }
  takeChanges(map);
  return (events / ms) * 1000;
}

/** Nothing waits to be taken or looked at. */
export function drain(map: NativeShareMap): void {
  takeChanges(map);
  while (map.look(atMs, 100_000).left > 0);
}

function takeChanges(map: NativeShareMap): void {
  while (map.takePlacements(50_000).left > 0);
  map.takeFiles();
}

/** Of this thread's CPU: what else the machine does weighs less than in wall time. */
export function cpuMilliseconds(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

export function wallMilliseconds(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}
