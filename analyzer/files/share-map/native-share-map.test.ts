import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { Coding } from '#mesh/coding.ts';
import type { PeerBatch } from '#mesh/events/share-batch.ts';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import type { PeerState } from '#mesh/peer-state.ts';
import { peerStates } from '#mesh/peer-state.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { batchOf, fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { isaLevel, isaLevelsSupported, loadNative } from '#native/load.ts';
import type { FileRow, PlacementRow } from './kept-rows.ts';
import { NativeShareMap } from './native-share-map.ts';
import { PeerTable } from './peer-table.ts';
import type { ShareMap, ShareMapChanges, ShareMapLimits, StoredShareMap } from './share-map.ts';
import { changeRows, codings, fileNames, files, healthRows, policyFor, totalRows } from './testing/compared-maps.ts';
import { PlainShareMap } from './testing/plain-share-map.ts';

const unknownFile = storageIndexFromBytes(new Uint8Array(16).fill(255));
const peers = Array.from({ length: 12 }, (_, i) => peerIdFromBytes(new Uint8Array(32).fill(i + 1)));
/** Peer states that happen most, so that files are often recoverable. */
const likelyStates: readonly PeerState[] = ['up', 'up', 'up', ...peerStates];

const settleMs = 50;
const maxFiles = 20;
type Operation =
  | {
      readonly op: 'batch';
      readonly peer: number;
      readonly events: readonly { readonly file: number; readonly share: number; readonly kind: number }[];
      readonly registrations: readonly {
        readonly file: number;
        readonly coding: number;
        readonly owner: boolean;
        readonly tag: string;
        readonly size: number;
      }[];
      readonly deleted: readonly number[];
      readonly inventory: { readonly phase: 'begin' | 'end'; readonly generation: number } | null;
      readonly old: boolean;
    }
  | { readonly op: 'inventory'; readonly peer: number; readonly generation: number; readonly shares: readonly number[] }
  | { readonly op: 'state'; readonly peer: number; readonly state: PeerState }
  | { readonly op: 'confidence'; readonly peer: number; readonly confidence: number }
  | { readonly op: 'domains'; readonly peer: number; readonly region: number; readonly rack: number | null }
  | { readonly op: 'sweep' | 'sweep-beside' | 'look' | 'ask' | 'take' | 'reload' }
  | { readonly op: 'wait'; readonly ms: number }
  | ({ readonly op: 'limit' } & ShareMapLimits)
  | { readonly op: 'leave'; readonly peer: number };

const fileNumber = fc.nat(files.length - 1);
const peerNumber = fc.nat(peers.length - 1);
const shareNumber = fc.oneof(
  { weight: 6, arbitrary: fc.nat(9) },
  { weight: 3, arbitrary: fc.nat(99) },
  { weight: 1, arbitrary: fc.nat(255) },
);
const generation = fc.integer({ min: 0, max: 5 });
const event = fc.record({
  file: fileNumber,
  share: shareNumber,
  kind: fc.constantFrom(1, 1, 1, 1, 2, 3, 3, 4, 0, 9),
});
const registration = fc.record({
  file: fileNumber,
  coding: fc.nat(codings.length - 1),
  owner: fc.boolean(),
  tag: fc.constantFrom('', '', 'gold'),
  size: fc.constantFrom(0, 5, 1e6, 2 ** 34, 2 ** 45),
});
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      op: fc.constant('batch' as const),
      peer: peerNumber,
      events: fc.array(event, { maxLength: 40 }),
      registrations: fc.array(registration, { maxLength: 3 }),
      deleted: fc.array(fileNumber, { maxLength: 1 }),
      inventory: fc.option(fc.record({ phase: fc.constantFrom('begin' as const, 'end' as const), generation }), {
        freq: 2,
      }),
      old: fc.boolean().map((old) => old),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('inventory' as const),
      peer: peerNumber,
      generation,
      shares: fc.array(fc.nat(files.length * 10 - 1), { maxLength: 60 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('state' as const),
      peer: peerNumber,
      state: fc.constantFrom(...likelyStates),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('domains' as const),
      peer: peerNumber,
      region: fc.nat(3),
      rack: fc.option(fc.nat(40)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('confidence' as const),
      peer: peerNumber,
      confidence: fc.oneof(fc.constantFrom(0, 1, 999, 1000), fc.nat(1000)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('sweep' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('sweep-beside' as const) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('look' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('ask' as const) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('take' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('reload' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('wait' as const), ms: fc.nat(60) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('limit' as const),
      files: fc.nat(30),
      registeredFiles: fc.nat(30),
      unregisteredPerPeer: fc.oneof(fc.nat(12), fc.constant(1e9)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('leave' as const), peer: peerNumber }) },
);

/** Both maps side by side, on one peer table, with a store that keeps what they say. */
class Pair {
  readonly table = new PeerTable();
  plain = this.#newPlain();
  native = this.#newNative();
  atMs = 1000;
  #sequence = 0;
  #sweptRevision = -1;
  #storedPlacements = new Map<string, PlacementRow>();
  #storedFiles = new Map<StorageIndex, FileRow>();
  #storedApplied = new Map<string, ShareMapChanges['applied'][number]>();

  #limits: ShareMapLimits = { files: maxFiles, registeredFiles: maxFiles, unregisteredPerPeer: 1e9 };

  #newPlain(): PlainShareMap {
    return new PlainShareMap({ peers: this.table, policyFor, maxFiles, settleMs });
  }

  #newNative(): NativeShareMap {
    return new NativeShareMap({ peers: this.table, policyFor, maxFiles, settleMs, sweepThreads: 2 });
  }

  async run(operation: Operation): Promise<void> {
    switch (operation.op) {
      case 'batch':
        return this.#batch(operation);
      case 'inventory':
        return this.#inventory(operation);
      case 'state':
        this.table.setState(peers[operation.peer] as (typeof peers)[number], operation.state);
        return;
      case 'confidence':
        this.table.setConfidence(peers[operation.peer] as (typeof peers)[number], operation.confidence);
        return;
      case 'domains': {
        const { region, rack } = operation;
        this.table.setDomains(peers[operation.peer] as (typeof peers)[number], {
          region: `r${region}`,
          ...(rack === null ? {} : { rack: `rack${rack}` }),
        });
        return;
      }
      case 'sweep':
      case 'sweep-beside': {
        this.#sweptRevision = this.table.revision;
        const expected = this.plain.sweep(this.atMs);
        const beside = operation.op === 'sweep' ? null : await this.native.sweepBeside(this.atMs, 10_000);
        const found = beside ?? this.native.sweep(this.atMs);
        expect(totalRows(found.totals)).toEqual(totalRows(expected.totals));
        if ('shortfall' in found) expect(found.shortfall).toEqual(expected.shortfall);
        for (const name of fileNames) {
          expect(this.native.expectedShares(name, this.atMs)).toEqual(this.plain.expectedShares(name, this.atMs));
        }
        const changed = typeof found.changed === 'function' ? [...found.changed()] : found.changed;
        expect(healthRows(changed)).toEqual(healthRows(expected.changed));
        return;
      }
      case 'look':
        // As the analyzer does: when the peers have changed, every file is looked at.
        if (this.#sweptRevision >= 0 && this.#sweptRevision !== this.table.revision) return this.run({ op: 'sweep' });
        expect(healthRows(this.native.lookAtTouched(this.atMs))).toEqual(
          healthRows(this.plain.lookAtTouched(this.atMs)),
        );
        return;
      case 'ask':
        return this.#ask();
      case 'take':
        return this.#take();
      case 'reload':
        return this.#reload();
      case 'limit': {
        const { files: most, registeredFiles, unregisteredPerPeer } = operation;
        this.#limits = { files: most, registeredFiles, unregisteredPerPeer };
        this.#limit();
        return;
      }
      case 'leave': {
        const peer = peers[operation.peer] as (typeof peers)[number];
        this.plain.freeUnregistered(peer);
        this.native.freeUnregistered(peer);
        while (this.native.reap());
        return;
      }
      case 'wait':
        this.atMs += operation.ms;
    }
  }

  #limit(): void {
    this.plain.limit(this.#limits);
    this.native.limit(this.#limits);
  }

  #batch(operation: Extract<Operation, { op: 'batch' }>): void {
    const batch: PeerBatch = {
      peer: peers[operation.peer] as (typeof peers)[number],
      incarnation: 1,
      sequence: operation.old && this.#sequence > 3 ? this.#sequence - 3 : ++this.#sequence,
      storageIndexes: Buffer.concat(operation.events.map(({ file }) => files[file] as Uint8Array)),
      shareNumbers: Uint8Array.from(operation.events, ({ share }) => share),
      kinds: Uint8Array.from(operation.events, ({ kind }) => kind),
      registrations: operation.registrations.map(({ file, coding, owner, tag, size }) => ({
        manifest: {
          storageIndex: fileNames[file] as StorageIndex,
          uebHash: new Uint8Array(32).fill(coding + (size % 7)),
          ...(codings[coding] as Coding),
          sizeBytes: size,
        },
        origin: owner ? 'owner' : 'derived',
        tag,
      })),
      deletedFiles: Buffer.concat(operation.deleted.map((file) => files[file] as Uint8Array)),
      inventory: operation.inventory,
    };
    expect(this.native.apply(batch, this.atMs)).toEqual(this.plain.apply(batch, this.atMs));
    this.#compareCounts();
  }

  /** A whole inventory in three batches. */
  #inventory({ peer, generation, shares }: Extract<Operation, { op: 'inventory' }>): void {
    const events = shares.map((share) => ({ file: Math.floor(share / 10), share: share % 10, kind: 1 }));
    const part = { op: 'batch', peer, registrations: [], deleted: [], old: false } as const;
    this.#batch({ ...part, events: events.slice(0, 20), inventory: { phase: 'begin', generation } });
    this.#batch({ ...part, events: events.slice(20, 40), inventory: null });
    this.#batch({ ...part, events: events.slice(40), inventory: { phase: 'end', generation } });
  }

  #compareCounts(): void {
    const countsOf = ({
      fileCount,
      registeredCount,
      placementCount,
      refusedFiles,
      refusedPlacements,
      refusedUnregistered,
    }: ShareMap): unknown => ({
      fileCount,
      registeredCount,
      refusedUnregistered,
      placementCount,
      refusedFiles,
      refusedPlacements,
    });
    expect(countsOf(this.native)).toEqual(countsOf(this.plain));
  }

  #ask(): void {
    for (const index of [...fileNames, unknownFile]) {
      const [found, expected] = [this.native.health(index, this.atMs), this.plain.health(index, this.atMs)];
      expect(found === undefined ? [] : healthRows([found])).toEqual(
        expected === undefined ? [] : healthRows([expected]),
      );
      expect(this.native.find(index)).toEqual(this.plain.find(index));
      const order = (a: { shareNumber: number; peer: string }, b: { shareNumber: number; peer: string }): number =>
        a.shareNumber - b.shareNumber || (a.peer < b.peer ? -1 : 1);
      expect([...this.native.placements(index)].sort(order)).toEqual([...this.plain.placements(index)].sort(order));
    }
    for (const peer of peers) expect(this.native.appliedOf(peer)).toEqual(this.plain.appliedOf(peer));
  }

  #take(): void {
    const changes = this.plain.takeChanges();
    expect(changeRows(this.native.takeChanges())).toEqual(changeRows(changes));
    for (const row of changes.placements) {
      const key = `${row.storageIndex} ${row.shareNumber} ${row.peer}`;
      if (row.state === 'lost') this.#storedPlacements.delete(key);
      else this.#storedPlacements.set(key, row);
    }
    for (const row of changes.files) this.#storedFiles.set(row.manifest.storageIndex, row);
    for (const row of changes.applied) this.#storedApplied.set(row.peer, row);
  }

  /** As when the partition moves to another analyzer. */
  #reload(): void {
    this.#take();
    this.plain = this.#newPlain();
    this.native = this.#newNative();
    this.#sweptRevision = -1;
    const rows = (): StoredShareMap => ({
      settled: fileNames.slice(0, 5),
      placements: this.#storedPlacements.values(),
      files: this.#storedFiles.values(),
      applied: this.#storedApplied.values(),
    });
    this.plain.load(rows());
    this.native.load(rows());
    this.#limit();
    this.#compareCounts();
  }
}

/** `MESHWARD_SHARE_MAP_RUNS` makes the run long, `MESHWARD_SHARE_MAP_SEED` makes it the same again. */
const runs = {
  numRuns: Number(process.env['MESHWARD_SHARE_MAP_RUNS'] ?? 40),
  seed: Number(process.env['MESHWARD_SHARE_MAP_SEED'] ?? randomInt(2 ** 31)),
};

describe('the native share map', () => {
  const levelBefore = isaLevel();
  afterAll(() => loadNative().setIsaLevel(levelBefore));

  test.each(['lost', 'corrupt'] as const)('judges a new file that was whole once and has a share %s', (kind) => {
    const table = new PeerTable();
    for (const peer of [0, 1]) table.setState(peerOf(peer), 'up');
    const map = new NativeShareMap({ peers: table, policyFor, maxFiles, settleMs, sweepThreads: 1 });
    const registrations = [registrationOf(1), registrationOf(2)];
    map.apply(batchOf({ peer: 0, sequence: 1, registrations, events: [0, 1, 2].map((n) => ['stored', 1, n]) }), 1000);
    map.apply(batchOf({ peer: 1, sequence: 1, events: [3, 4, 5].map((n) => ['stored', 1, n]) }), 1000);
    map.apply(batchOf({ peer: 1, sequence: 2, events: [['stored', 2, 1]] }), 1000);
    const lost = [1, 2, 3].map((n) => [kind, 1, n % 3] as const);
    map.apply(batchOf({ peer: 0, sequence: 2, events: [...lost, [kind, 2, 1]] }), 1001);
    const settling = new Map(map.lookAtTouched(1001).map((health) => [health.storageIndex, health.settling]));
    expect(settling).toEqual(
      new Map([
        [fileOf(1), false],
        [fileOf(2), true],
      ]),
    );
  });

  test.each(isaLevelsSupported())('agrees with the plain one over any run of operations (%s)', async (level) => {
    loadNative().setIsaLevel(level);
    let operationCount = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 20, maxLength: 120, size: 'max' }), async (operations) => {
        operationCount += operations.length + 4;
        const pair = new Pair();
        for (const peer of peers) pair.table.setState(peer, 'up');
        for (const each of operations) await pair.run(each);
        for (const op of ['ask', 'look', 'sweep', 'take'] as const) await pair.run({ op });
      }),
      runs,
    );
    if (runs.numRuns > 1000) console.log(`${level}: ${operationCount} operations, seed ${runs.seed}`);
  });
});
