/**
 * The share map's native core: where every share of every file is, in some 4 bytes a share, and sweeps over all of it.
 * It speaks of numbers and columns only. Peers are numbers from 0 (below 1,048,575), files are storage indexes of 16 bytes,
 * and what files have in common (coding, policy, tag, origin) is a class. A map belongs to one thread; only its sweeps run
 * on others.
 */
import { randomBytes } from 'node:crypto';
import { MeshwardError } from '#mesh/errors.ts';
import { loadNative } from './load.ts';

/** Kinds of events as they stand in a column; any other number counts as `verified`. */
export const shareEventKinds = { stored: 1, verified: 2, lost: 3, corrupt: 4 } as const;

/** States of placements as they stand in a column. */
export const nativePlacementStates = { stored: 1, lost: 2, corrupt: 3 } as const;

/** Bits of a peer's flags. */
export const peerFlags = { available: 1, counted: 2, retained: 4 } as const;

/** A peer that is believed wholly, and one share in `expected`. */
export const fullConfidence = 1000;

/** A peer that names no domain of a kind. */
export const noDomain = 0xffff;

/** In `tolerance`: no peer that holds an available share names a domain of this kind. */
export const noTolerance = 0xffff;

/** In `classes` of changed and loaded files: deleted before anybody said what it is. */
export const noFileClass = 0xffffffff;

/** Places of a file's figures in `figures`, `each` of them a file. */
export const healthFigures = {
  available: 0,
  counted: 1,
  retained: 2,
  corrupt: 3,
  distinctPeers: 4,
  happiness: 5,
  tolerancePeers: 6,
  settling: 7,
  each: 8,
} as const;

/** Files and bytes of a policy stand at `available` of so many entries. */
export const availabilityEntries = 257;

export interface FileClass {
  readonly k: number;
  readonly n: number;
  /** Files with fewer counted shares may be settling; and the second threshold of exposures. */
  readonly repairBelow: number;
  /** A small number that sweeps count files by. */
  readonly policy: number;
  /** Registrations by an owner stand above those that peers derived. */
  readonly byOwner: boolean;
}

export interface RegistrationColumns {
  /** 16 bytes each. */
  readonly storageIndexes: Uint8Array;
  /** 32 bytes each. */
  readonly uebHashes: Uint8Array;
  readonly sizesBytes: Float64Array;
  /** Numbers that `addClass` gave. */
  readonly classes: Uint32Array;
}

export interface FileColumns extends RegistrationColumns {
  readonly registeredAtMs: Float64Array;
  readonly deleted: Uint8Array;
}

export interface NativePlacementColumns {
  readonly storageIndexes: Uint8Array;
  readonly shareNumbers: Uint8Array;
  readonly peers: Uint32Array;
  readonly states: Uint8Array;
  readonly generations: Uint32Array;
}

export interface PeerColumns {
  /** Bits of `peerFlags`; peers beyond the column are down: retained, and nothing else. */
  readonly flags: Uint8Array;
  /** For each peer a domain of each kind, numbered from 0, or `noDomain`. */
  readonly domains: Uint16Array;
  /** How many domains each kind has; at most 16 kinds. Up to four kinds of at most 16 domains are counted fastest. */
  readonly domainCounts: Uint32Array;
  /**
   * How far each peer's word is believed: thousandths, 0 to `fullConfidence`. It weighs into `expected`, and into nothing else.
   * @default `fullConfidence` for every peer, which costs a sweep nothing
   */
  readonly confidences?: Uint16Array;
}

/** Files whose health is not what was told of them last. */
export interface ChangedFileColumns {
  readonly count: number;
  readonly storageIndexes: Uint8Array;
  readonly uebHashes: Uint8Array;
  readonly sizesBytes: Float64Array;
  readonly classes: Uint32Array;
  /** `healthFigures.each` a file. */
  readonly figures: Uint16Array;
  /** For each kind of domain the fewest whose loss leaves fewer than k available shares, or `noTolerance`. */
  readonly tolerance: Uint16Array;
  /**
   * Shares that may be expected, in thousandths of a share: of each available share the confidence in the most trusted peer that
   * has it, added up. A file does not count as changed by it alone.
   */
  readonly expected: Uint32Array;
}

export interface LookColumns extends ChangedFileColumns {
  /** Touched files that this look left for the next. */
  readonly left: number;
}

export interface SweepColumns {
  /** Policies that have files; the next two have `availabilityEntries` entries for each, by available shares. */
  readonly policies: Uint32Array;
  readonly files: Uint32Array;
  readonly bytes: Float64Array;
  readonly filesWithoutManifest: number;
  readonly settlingFiles: number;
  /** Files with at least k available shares of which fewer may be expected; and the same for the repair threshold. */
  readonly expectedBelowK: number;
  readonly expectedBelowRepair: number;
  readonly changed: ChangedFileColumns;
  /** Changed files that found no room in `changed`: the next sweep tells of them. */
  readonly changedLater: number;
  /**
   * Exposure: by peer, and by domain of all kinds one after another (`firstDomains` says where each kind begins), how many
   * files its loss would take from at least k available shares below it, or from at least the repair threshold. A share
   * that two peers hold is counted for both, so exposure is never told too low.
   */
  readonly peersBelowK: Uint32Array;
  readonly peersBelowRepair: Uint32Array;
  readonly domainsBelowK: Uint32Array;
  readonly domainsBelowRepair: Uint32Array;
  readonly firstDomains: Uint32Array;
}

export interface SweepOptions {
  /** The log's time. */
  readonly atMs: number;
  /** @default 1; at most 64 */
  readonly threads?: number;
  /** Bounds the answer's memory: about 90 bytes a file. @default every file */
  readonly mostChanged?: number;
  /** A look at what would be with these peers: `changed` is told, and nothing is noted. */
  readonly whatIfPeers?: PeerColumns;
}

export interface NativeFile {
  readonly registered: boolean;
  readonly deleted: boolean;
  readonly uebHash: Uint8Array;
  readonly sizeBytes: number;
  readonly registeredAtMs: number;
  readonly fileClass: number;
}

export interface ShareMapCounts {
  readonly files: number;
  /** Of these, those that nobody has registered. */
  readonly unregisteredFiles: number;
  readonly placements: number;
  readonly refusedFiles: number;
  /** Events of unregistered files beyond what one peer may hold of them. */
  readonly refusedUnregistered: number;
  /** New placements of files that had 4,096 beside one for each share number. */
  readonly refusedPlacements: number;
  /** Placements that an inventory's end took away and that still take up room: nobody sees them. */
  readonly deadPlacements: number;
}

export interface NativeShareMapOptions {
  /** Files beyond this are refused and counted; at most 67 million. */
  readonly maxFiles: number;
  /** How long a new file may take to show its shares before it is judged. */
  readonly settleMs: number;
  /** 16 secret bytes: peers choose storage indexes, and must not know where they fall. @default random */
  readonly hashSeed?: Uint8Array;
}

export interface ShareMapLimits {
  readonly files: number;
  readonly registeredFiles: number;
  readonly unregisteredPerPeer: number;
}

interface ShareMapCore {
  addClass(k: number, n: number, repairBelow: number, policy: number, byOwner: boolean): number;
  registerFiles(
    indexes: Uint8Array,
    hashes: Uint8Array,
    sizes: Float64Array,
    classes: Uint32Array,
    atMs: number,
  ): number;
  apply(peer: number, generation: number, indexes: Uint8Array, shares: Uint8Array, kinds: Uint8Array): void;
  endInventory(peer: number, generation: number): number;
  deleteFiles(indexes: Uint8Array): void;
  loadFiles(
    indexes: Uint8Array,
    hashes: Uint8Array,
    sizes: Float64Array,
    classes: Uint32Array,
    registeredAtMs: Float64Array,
    deleted: Uint8Array,
  ): void;
  markSettled(indexes: Uint8Array): void;
  loadPlacements(
    indexes: Uint8Array,
    shares: Uint8Array,
    peers: Uint32Array,
    states: Uint8Array,
    generations: Uint32Array,
  ): void;
  reap(mostSlabs: number): boolean;
  setPeers(...peers: PeerArguments): void;
  limit(mostFiles: number, mostRegistered: number, mostUnregistered: number): void;
  freeUnregistered(peer: number, fromSlab: number, mostSlabs: number): number;
  look(atMs: number, mostFiles: number): LookColumns;
  sweep(...settings: SweepArguments): SweepColumns;
  startSweep(...settings: SweepArguments): Promise<SweepColumns>;
  health(index: Uint8Array, atMs: number): ChangedFileColumns | null;
  find(index: Uint8Array): NativeFile | null;
  placements(index: Uint8Array): Omit<NativePlacementColumns, 'storageIndexes'>;
  takePlacements(mostRows: number): NativePlacementColumns & { readonly left: number };
  takeFiles(): FileColumns;
  counts(): ShareMapCounts;
  bytes(): number;
  snapshotPartBytes(part: number): number;
  writeSnapshotPart(part: number, to: Uint8Array): void;
  readSnapshotPart(bytes: Uint8Array): void;
}

type PeerArguments = [Uint8Array, Uint16Array, Uint32Array, Uint16Array | undefined];
type SweepArguments = [number, number, number, ...([] | PeerArguments)];

const everything = 0xffffffff;

/** Every method throws MeshwardError `bad-input` where columns differ in length or numbers are out of range. */
export class NativeShareMap {
  readonly #core: ShareMapCore;

  constructor(options: NativeShareMapOptions) {
    const native = loadNative() as unknown as {
      ShareMapCore: new (seed: Uint8Array, maxFiles: number, settleMs: number) => ShareMapCore;
    };
    const seed = options.hashSeed ?? new Uint8Array(randomBytes(16));
    this.#core = run(() => new native.ShareMapCore(seed, options.maxFiles, options.settleMs));
  }

  /** @returns the class's number; they count from 0. At most 1,048,576. */
  addClass({ k, n, repairBelow, policy, byOwner }: FileClass): number {
    return run(() => this.#core.addClass(k, n, repairBelow, policy, byOwner));
  }

  /** @returns how many contradict what is known of their files; those change nothing. */
  registerFiles({ storageIndexes, uebHashes, sizesBytes, classes }: RegistrationColumns, atMs: number): number {
    return run(() => this.#core.registerFiles(storageIndexes, uebHashes, sizesBytes, classes, atMs));
  }

  /** Events of one peer, in order, straight from a batch's columns. @param generation the inventory that they belong to. */
  apply(
    peer: number,
    generation: number,
    storageIndexes: Uint8Array,
    shareNumbers: Uint8Array,
    kinds: Uint8Array,
  ): void {
    run(() => this.#core.apply(peer, generation, storageIndexes, shareNumbers, kinds));
  }

  /**
   * Takes away the peer's placements that another generation named last. Nobody sees them from now on; `reap` frees their
   * room and notes them as changes. @returns how many.
   */
  endInventory(peer: number, generation: number): number {
    return run(() => this.#core.endInventory(peer, generation));
  }

  deleteFiles(storageIndexes: Uint8Array): void {
    run(() => this.#core.deleteFiles(storageIndexes));
  }

  /** Files out of the store: no changes, and not touched. */
  loadFiles(files: FileColumns): void {
    const { storageIndexes, uebHashes, sizesBytes, classes, registeredAtMs, deleted } = files;
    run(() => this.#core.loadFiles(storageIndexes, uebHashes, sizesBytes, classes, registeredAtMs, deleted));
  }

  /** Files that were judged before, so that they are not taken for new ones. */
  markSettled(storageIndexes: Uint8Array): void {
    run(() => this.#core.markSettled(storageIndexes));
  }

  loadPlacements({ storageIndexes, shareNumbers, peers, states, generations }: NativePlacementColumns): void {
    run(() => this.#core.loadPlacements(storageIndexes, shareNumbers, peers, states, generations));
  }

  /**
   * Frees the room of placements that ends of inventories took away, 256 files a slab.
   * @returns whether some are left. 400 slabs of 25-of-100 take some milliseconds.
   */
  reap(mostSlabs = Number.POSITIVE_INFINITY): boolean {
    return run(() => this.#core.reap(mostSlabs));
  }

  setPeers(peers: PeerColumns): void {
    run(() => this.#core.setPeers(...peerArguments(peers)));
  }

  /** Judges files that events touched since the last look or sweep. */
  look(atMs: number, mostFiles = everything): LookColumns {
    return run(() => this.#core.look(atMs, mostFiles));
  }

  /** Every file, while the caller waits. */
  sweepNow(options: SweepOptions): SweepColumns {
    return run(() => this.#core.sweep(...argumentsOf(options)));
  }

  /**
   * Every file, on other threads; one sweep at a time. The map may be used meanwhile: files that change then are seen as
   * they were or as they are, and are touched for the next look.
   */
  async sweep(options: SweepOptions): Promise<SweepColumns> {
    return await run(() => this.#core.startSweep(...argumentsOf(options)));
  }

  /** One file's health as columns with one entry; null where it is unknown, deleted or without a manifest. */
  health(storageIndex: Uint8Array, atMs: number): ChangedFileColumns | null {
    return run(() => this.#core.health(storageIndex, atMs));
  }

  find(storageIndex: Uint8Array): NativeFile | null {
    return run(() => this.#core.find(storageIndex));
  }

  placements(storageIndex: Uint8Array): Omit<NativePlacementColumns, 'storageIndexes'> {
    return run(() => this.#core.placements(storageIndex));
  }

  /** Placements that changed since they were taken last, as they are now; each once a call. `left` log entries remain. */
  takePlacements(mostRows = everything): NativePlacementColumns & { readonly left: number } {
    return run(() => this.#core.takePlacements(mostRows));
  }

  /** Registrations that changed since they were taken last. */
  takeFiles(): FileColumns {
    return run(() => this.#core.takeFiles());
  }

  /**
   * @param limits `files`: up to so many events may make known; `registeredFiles`: so many may be registered, whatever else is there;
   * `unregisteredPerPeer`: placements that one peer may hold in files that nobody has registered.
   */
  limit({ files, registeredFiles, unregisteredPerPeer }: ShareMapLimits): void {
    run(() => this.#core.limit(files, registeredFiles, unregisteredPerPeer));
  }

  /** Takes away what the peer holds in files that nobody has registered. @returns the slab to go on with; 0: it is done. */
  freeUnregistered(peer: number, fromSlab: number, mostSlabs: number): number {
    return run(() => this.#core.freeUnregistered(peer, fromSlab, mostSlabs));
  }

  get counts(): ShareMapCounts {
    return this.#core.counts();
  }

  /** Memory of the map itself, all included. Walks over the slabs: for metrics, not for loops. */
  get memoryBytes(): number {
    return this.#core.bytes();
  }

  /**
   * The map as bytes, peers included, in parts of some megabytes. Changes must have been taken, and none may come before the last part.
   * For the same version on the same kind of machine: what outlives versions is the store.
   */
  *snapshot(): Generator<Uint8Array<ArrayBuffer>, void> {
    for (let part = 0; ; part++) {
      const length = run(() => this.#core.snapshotPartBytes(part));
      if (length === 0) return;
      const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      run(() => this.#core.writeSnapshotPart(part, bytes));
      yield bytes;
    }
  }

  /** A part of a snapshot, in order, into a new map. After an error the map holds only what came before it. */
  readSnapshotPart(bytes: Uint8Array): void {
    run(() => this.#core.readSnapshotPart(bytes));
  }
}

function argumentsOf({ atMs, threads = 1, mostChanged = everything, whatIfPeers }: SweepOptions): SweepArguments {
  if (whatIfPeers === undefined) return [atMs, threads, mostChanged];
  return [atMs, threads, mostChanged, ...peerArguments(whatIfPeers)];
}

function peerArguments({ flags, domains, domainCounts, confidences }: PeerColumns): PeerArguments {
  return [flags, domains, domainCounts, confidences];
}

function run<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof MeshwardError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new MeshwardError('bad-input', `the share map refuses: ${reason}`, {
      next: 'Give columns of one length, whole numbers within range, and snapshots as they were written.',
      cause: error,
    });
  }
}
