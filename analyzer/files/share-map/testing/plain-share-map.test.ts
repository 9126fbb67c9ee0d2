import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { PeerBatch } from '#mesh/events/share-batch.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import {
  type BatchFields,
  batchOf,
  fileOf,
  peerOf,
  registrationOf,
  type ShareEvent,
} from '#mesh/testing/share-events.ts';
import type { FileRow, PlacementRow } from '../kept-rows.ts';
import { PeerTable } from '../peer-table.ts';
import type { ShareMapChanges } from '../share-map.ts';
import { PlainShareMap } from './plain-share-map.ts';

const settleMs = 60_000;

function mapWith(peers: PeerTable, maxFiles = 1000): PlainShareMap {
  return new PlainShareMap({ peers, policyFor: (coding) => defaultPolicy(coding), maxFiles, settleMs });
}

/** Shares of a file as `number@peer`, with `!` for a corrupt one. */
function sharesOf(map: PlainShareMap, file: number): readonly string[] {
  return map
    .placements(fileOf(file))
    .map(({ shareNumber, peer, corrupt }) => `${shareNumber}@${peerNumbers.get(peer)}${corrupt ? '!' : ''}`)
    .sort((a, b) => (a < b ? -1 : 1));
}
const peerNumbers = new Map(Array.from({ length: 300 }, (_, number) => [peerOf(number), number]));

const stored = (file: number, share: number): ShareEvent => ['stored', file, share];

describe('the share map', () => {
  let peers: PeerTable;
  let map: PlainShareMap;
  let sequence: number;
  beforeEach(() => {
    peers = new PeerTable();
    map = mapWith(peers);
    sequence = 0;
    for (let peer = 0; peer < 8; peer++) peers.setState(peerOf(peer), 'up');
  });
  const apply = (fields: Omit<BatchFields, 'sequence'> & { sequence?: number }, atMs = 0) =>
    map.apply(batchOf({ sequence: ++sequence, ...fields }), atMs);

  describe('order', () => {
    it('drops a batch at or below the last one of its peer, by incarnation before sequence', () => {
      expect(apply({ peer: 1, incarnation: 2, sequence: 5, events: [stored(1, 0)] }).applied).toBe(true);
      for (const [incarnation, at] of [
        [2, 5],
        [2, 4],
        [1, 9],
      ] as const) {
        const outcome = apply({ peer: 1, incarnation, sequence: at, events: [['lost', 1, 0]] });
        expect(outcome).toEqual({ applied: false, events: 0, forgotten: 0, conflicts: 0 });
      }
      expect(sharesOf(map, 1)).toEqual(['0@1']);
      expect(apply({ peer: 1, incarnation: 3, sequence: 1, events: [['lost', 1, 0]] }).applied).toBe(true);
      expect(sharesOf(map, 1)).toEqual([]);
    });

    it('counts each peer by itself', () => {
      apply({ peer: 1, sequence: 9, events: [stored(1, 0)] });
      expect(apply({ peer: 2, sequence: 1, events: [stored(1, 1)] }).applied).toBe(true);
      expect(sharesOf(map, 1)).toEqual(['0@1', '1@2']);
      expect(map.appliedOf(peerOf(1))).toMatchObject({ incarnation: 1, sequence: 9 });
    });
  });

  describe('events', () => {
    it('touch only the share of the peer that says so', () => {
      apply({ peer: 1, events: [stored(1, 0), stored(1, 1), stored(2, 0)] });
      apply({ peer: 2, events: [stored(1, 0)] });
      apply({ peer: 1, events: [['lost', 1, 0]] });
      expect(sharesOf(map, 1)).toEqual(['0@2', '1@1']);
      expect(sharesOf(map, 2)).toEqual(['0@1']);
      expect(map.placementCount).toBe(3);
    });

    it('keep a share corrupt until its content was verified or it is gone', () => {
      apply({ peer: 1, events: [['corrupt', 1, 0]] });
      apply({ peer: 1, events: [stored(1, 0)] });
      apply({ peer: 1, events: [stored(1, 0)], begin: 1 });
      apply({ peer: 1, end: 1 });
      expect(sharesOf(map, 1)).toEqual(['0@1!']);
      apply({ peer: 1, events: [['verified', 1, 0]] });
      expect(sharesOf(map, 1)).toEqual(['0@1']);
      apply({ peer: 1, events: [['corrupt', 1, 0]] });
      apply({
        peer: 1,
        events: [
          ['lost', 1, 0],
          ['stored', 1, 0],
        ],
      });
      expect(sharesOf(map, 1)).toEqual(['0@1']);
    });

    it('leave nothing behind of a file that nobody registered and nobody holds', () => {
      apply({ peer: 1, events: [['lost', 1, 0]] });
      expect(map.fileCount).toBe(0);
      apply({ peer: 1, events: [stored(1, 0)] });
      apply({ peer: 1, events: [['lost', 1, 0]] });
      expect(map.fileCount).toBe(0);
      expect(map.takeChanges().placements).toMatchObject([{ storageIndex: fileOf(1), state: 'lost' }]);
    });
  });

  describe('inventories', () => {
    it('forget what they did not name, and only of their peer', () => {
      apply({ peer: 1, events: [stored(1, 0), stored(2, 0), stored(3, 0)] });
      apply({ peer: 2, events: [stored(3, 1)] });
      apply({ peer: 1, begin: 1, events: [stored(1, 0)] });
      apply({ peer: 1, events: [stored(4, 0)] });
      expect(sharesOf(map, 2)).toEqual(['0@1']);
      expect(apply({ peer: 1, end: 1, events: [stored(2, 0)] }).forgotten).toBe(1);
      expect([1, 2, 3, 4].map((file) => sharesOf(map, file))).toEqual([['0@1'], ['0@1'], ['1@2'], ['0@1']]);
    });

    it('forget nothing where one was interrupted and begun anew, until the new one ends', () => {
      apply({ peer: 1, events: [stored(1, 0), stored(2, 0)] });
      apply({ peer: 1, begin: 1, events: [stored(1, 0)] });
      apply({ peer: 1, incarnation: 2, sequence: 1, begin: 2, events: [stored(2, 0)] });
      expect(apply({ peer: 1, incarnation: 2, sequence: 2, end: 1 }).forgotten).toBe(0);
      expect([sharesOf(map, 1), sharesOf(map, 2)]).toEqual([['0@1'], ['0@1']]);
      expect(apply({ peer: 1, incarnation: 2, sequence: 3, end: 2 }).forgotten).toBe(1);
      expect([sharesOf(map, 1), sharesOf(map, 2)]).toEqual([[], ['0@1']]);
    });

    it('forget nothing at an end without its begin', () => {
      apply({ peer: 1, events: [stored(1, 0)] });
      for (const end of [0, 1, 7]) expect(apply({ peer: 1, end }).forgotten).toBe(0);
      apply({ peer: 1, begin: 1, events: [stored(1, 0)] });
      apply({ peer: 1, end: 1 });
      expect(apply({ peer: 1, end: 1 }).forgotten).toBe(0);
      expect(sharesOf(map, 1)).toEqual(['0@1']);
    });

    it('keep what was stored after the last one ended, until the next', () => {
      apply({ peer: 1, begin: 1 });
      apply({ peer: 1, end: 1 });
      apply({ peer: 1, events: [stored(1, 0)] });
      expect(sharesOf(map, 1)).toEqual(['0@1']);
      apply({ peer: 1, begin: 2 });
      expect(apply({ peer: 1, end: 2 }).forgotten).toBe(1);
    });
  });

  describe('manifests', () => {
    const registered = () => map.find(fileOf(1))?.registration;

    it("by an owner stand over derived ones, and a peer's contradiction is counted and changes nothing", () => {
      apply({ peer: 1, registrations: [registrationOf(1, { origin: 'derived', n: 10 })] });
      expect(registered()).toMatchObject({ origin: 'derived', manifest: { n: 10 } });
      expect(apply({ peer: 2, registrations: [registrationOf(1, { origin: 'derived', n: 9 })] }).conflicts).toBe(1);
      expect(registered()?.manifest.n).toBe(10);
      expect(apply({ peer: 3, registrations: [registrationOf(1, { n: 8, tag: 'gold' })] }).conflicts).toBe(0);
      expect(registered()).toMatchObject({ origin: 'owner', tag: 'gold', manifest: { n: 8 } });
      expect(apply({ peer: 1, registrations: [registrationOf(1, { origin: 'derived', ueb: 2 })] }).conflicts).toBe(1);
      expect(apply({ peer: 1, registrations: [registrationOf(1, { origin: 'derived', n: 8 })] }).conflicts).toBe(0);
      expect(registered()).toMatchObject({ origin: 'owner', tag: 'gold', manifest: { n: 8 } });
    });

    it('of the same words again are no change for the store', () => {
      apply({ peer: 1, registrations: [registrationOf(1)] });
      map.takeChanges();
      apply({ peer: 2, registrations: [registrationOf(1), registrationOf(1, { origin: 'derived' })] });
      expect(map.takeChanges().files).toEqual([]);
    });

    it('are not needed to keep placements, only to judge them', () => {
      apply({ peer: 1, events: [stored(1, 0)] });
      expect(map.health(fileOf(1), settleMs)).toBeUndefined();
      expect(map.sweep(settleMs).totals).toMatchObject({ files: 0, filesWithoutManifest: 1 });
      apply({ peer: 1, registrations: [registrationOf(1)] });
      expect(map.health(fileOf(1), settleMs)).toMatchObject({ available: 1 });
    });
  });

  describe('deleted files', () => {
    it('are no longer judged, whatever peers still say, until their owner registers them again', () => {
      apply({ peer: 1, registrations: [registrationOf(1)], events: [stored(1, 0)] });
      apply({ peer: 9, deleted: [1] });
      apply({ peer: 1, registrations: [registrationOf(1, { origin: 'derived' })], events: [stored(1, 1)] });
      expect(map.health(fileOf(1), settleMs)).toBeUndefined();
      expect(map.find(fileOf(1))?.deleted).toBe(true);
      expect(map.sweep(settleMs)).toMatchObject({ changed: [], totals: { files: 0, filesWithoutManifest: 0 } });
      apply({ peer: 9, registrations: [registrationOf(1)] });
      expect(map.health(fileOf(1), settleMs)).toMatchObject({ available: 2 });
    });

    it('stay deleted where they were not known before', () => {
      apply({ peer: 9, deleted: [1] });
      const restarted = mapWith(peers);
      restarted.load(map.takeChanges());
      for (const each of [map, restarted]) {
        each.apply(batchOf({ peer: 1, sequence: 99, registrations: [registrationOf(1, { origin: 'derived' })] }), 0);
        expect(each.health(fileOf(1), 0)).toBeUndefined();
        expect(each.find(fileOf(1))?.deleted).toBe(true);
      }
    });
  });

  describe('a new file', () => {
    const health = (atMs: number) => map.health(fileOf(1), atMs);

    it('settles while its shares come in, and is judged when it has enough or the time is over', () => {
      apply({ peer: 1, registrations: [registrationOf(1)], events: [stored(1, 0)] }, 1000);
      map.sweep(1000);
      expect(health(1000)).toMatchObject({ settling: true, grade: 'lost' });
      expect(map.sweep(1000 + settleMs - 1).totals).toMatchObject({ files: 0, settlingFiles: 1 });
      expect(map.sweep(1000 + settleMs).totals).toMatchObject({ files: 1, settlingFiles: 0 });
      expect(health(1000 + settleMs)?.settling).toBe(false);
    });

    it('does not go back to settling once it had enough', () => {
      apply({ peer: 1, registrations: [registrationOf(1)], events: [0, 1, 2, 3].map((n) => stored(1, n)) }, 1000);
      expect(map.lookAtTouched(1000)).toMatchObject([{ settling: false }]);
      apply({ peer: 1, events: [0, 1, 2].map((n) => ['lost', 1, n] as const) });
      expect(health(1001)).toMatchObject({ settling: false, grade: 'lost' });
    });

    it('that had enough shares and lost some before anybody judged it is not settling', () => {
      apply({ peer: 1, registrations: [registrationOf(1)], events: [0, 1, 2, 3].map((n) => stored(1, n)) }, 1000);
      apply({ peer: 1, events: [['lost', 1, 0]] }, 1001);
      expect(map.lookAtTouched(1001)).toMatchObject([{ settling: false, counted: 3 }]);
    });

    it('that was judged before a restart is not taken for a new one', () => {
      apply({ peer: 1, registrations: [registrationOf(1)], events: [stored(1, 0)] }, 1000);
      const changes = map.takeChanges();
      const restarted = mapWith(peers);
      restarted.load({ ...changes, settled: [fileOf(1)] });
      expect(restarted.health(fileOf(1), 1001)?.settling).toBe(false);
      const fresh = mapWith(peers);
      fresh.load(changes);
      expect(fresh.health(fileOf(1), 1001)?.settling).toBe(true);
    });
  });

  it('refuses and counts files beyond its limit, and goes on with those that it has', () => {
    map = mapWith(peers, 2);
    apply({ peer: 1, events: [stored(1, 0), stored(2, 0), stored(3, 0)], registrations: [registrationOf(4)] });
    expect([map.fileCount, map.refusedFiles]).toEqual([2, 2]);
    apply({ peer: 1, events: [stored(4, 1), ['lost', 2, 0]] });
    expect([4, 1, 2, 3].map((file) => sharesOf(map, file))).toEqual([['1@1'], ['0@1'], [], []]);
    apply({ peer: 1, events: [['lost', 1, 0], stored(2, 0)] });
    expect(sharesOf(map, 2)).toEqual(['0@1']);
    expect(map.refusedFiles).toBe(2);
  });

  it('tells of a file in a look or a sweep once, when its health is not what it was', () => {
    apply({ peer: 1, registrations: [registrationOf(1)], events: [0, 1, 2, 3, 4, 5].map((n) => stored(1, n)) });
    expect(map.lookAtTouched(0)).toMatchObject([{ available: 6, distinctPeers: 1 }]);
    expect(map.lookAtTouched(0)).toEqual([]);
    expect(map.sweep(0).changed).toEqual([]);
    apply({ peer: 1, events: [stored(1, 0)] });
    expect(map.lookAtTouched(0)).toEqual([]);
    peers.setState(peerOf(1), 'suspect');
    expect(map.lookAtTouched(0)).toEqual([]);
    expect(map.sweep(0).changed).toMatchObject([{ available: 0, counted: 6, retained: 6, grade: 'lost' }]);
    expect(map.sweep(0).changed).toEqual([]);
  });

  it('says the same in totals as in each health', () => {
    apply({
      peer: 1,
      registrations: [registrationOf(1, { sizeBytes: 5 }), registrationOf(2, { sizeBytes: 7, k: 1, n: 2 })],
      events: [0, 1, 2].map((n) => stored(1, n)),
    });
    const { totals } = map.sweep(settleMs);
    expect(totals).toMatchObject({ files: 2, bytes: 12 });
    expect(totals.byGrade.get('at-risk')).toEqual({ files: 1, bytes: 5 });
    expect(totals.byGrade.get('lost')).toEqual({ files: 1, bytes: 7 });
    expect(totals.byMargin.get('2-of-6')).toEqual(new Map([[1, { files: 1, bytes: 5 }]]));
    expect(totals.byMargin.get('1-of-2')).toEqual(new Map([[-1, { files: 1, bytes: 7 }]]));
  });
});

// --- the store and crashes -------------------------------------------------------------------------------------------

/** Rows by key, as the store keeps them: the newest counts, and lost placements go. */
class RowStore {
  readonly placements = new Map<string, PlacementRow>();
  readonly files = new Map<string, FileRow>();
  readonly applied = new Map<string, ShareMapChanges['applied'][number]>();

  saveRows({ placements, files }: ShareMapChanges): void {
    for (const row of placements) {
      const key = `${row.storageIndex}/${row.shareNumber}/${row.peer}`;
      if (row.state === 'lost') this.placements.delete(key);
      else this.placements.set(key, row);
    }
    for (const row of files) this.files.set(row.manifest.storageIndex, row);
  }

  saveApplied({ applied }: ShareMapChanges): void {
    for (const row of applied) this.applied.set(row.peer, row);
  }

  loadInto(map: PlainShareMap): PlainShareMap {
    map.load({
      placements: this.placements.values(),
      files: this.files.values(),
      applied: this.applied.values(),
    });
    return map;
  }
}

const fileCount = 5;
const peerCount = 4;

/** Numbers of collectors. */
const firstOwner = 100;

const randomEvent = fc.tuple(
  fc.constantFrom('stored', 'verified', 'lost', 'corrupt'),
  fc.nat(fileCount - 1),
  fc.nat(5),
) as fc.Arbitrary<ShareEvent>;

/** A log: batches of peers, and of collectors in the name of owners, in order, mixed, with some that come twice, at once or late. */
const randomLog: fc.Arbitrary<readonly PeerBatch[]> = fc
  .array(
    fc.record({
      peer: fc.nat(peerCount - 1),
      events: fc.array(randomEvent, { maxLength: 4 }),
      isOwner: fc.boolean(),
      registered: fc.array(fc.record({ file: fc.nat(fileCount - 1), n: fc.constantFrom(5, 6) }), {
        maxLength: 1,
      }),
      deleted: fc.array(fc.nat(fileCount - 1), { maxLength: 1 }),
      mark: fc.option(fc.record({ begins: fc.boolean(), generation: fc.integer({ min: 1, max: 3 }) })),
      again: fc.nat(5),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((steps) => {
    const log: PeerBatch[] = [];
    steps.forEach((step, at) => {
      const mark = step.mark === null ? {} : { [step.mark.begins ? 'begin' : 'end']: step.mark.generation };
      const { peer, events, deleted, isOwner } = step;
      const registrations = step.registered.map(({ file, n }) =>
        registrationOf(file, { n, origin: isOwner ? 'owner' : 'derived' }),
      );
      const batch = isOwner
        ? batchOf({ peer: firstOwner + peer, sequence: at + 1, registrations, deleted })
        : batchOf({ peer, sequence: at + 1, events, registrations, ...mark });
      log.push(batch);
      const again = log[log.length - 1 - step.again];
      if (step.again > 0 && again !== undefined) log.push(again);
    });
    return log;
  });

/** All that a restart must bring back; `registeredAtMs` and what was last told are beside it. */
function viewOf(map: PlainShareMap): unknown {
  return {
    files: Array.from({ length: fileCount }, (_, file) => [sharesOf(map, file), map.find(fileOf(file))]),
    applied: Array.from({ length: peerCount }, (_, peer) => map.appliedOf(peerOf(peer))),
    counts: [map.fileCount, map.placementCount],
  };
}

describe('the share map and its store', () => {
  const play = (map: PlainShareMap, log: readonly PeerBatch[], from = 0): PlainShareMap => {
    log.forEach((batch, at) => {
      if (at >= from) map.apply(batch, at * 1000);
    });
    return map;
  };

  it('gives an equal map from what it said since the beginning, at any point', () => {
    fc.assert(
      fc.property(randomLog, fc.array(fc.nat(40)), (log, takings) => {
        const peers = new PeerTable();
        const map = mapWith(peers);
        const store = new RowStore();
        log.forEach((batch, at) => {
          map.apply(batch, at * 1000);
          if (!takings.includes(at)) return;
          const changes = map.takeChanges();
          store.saveRows(changes);
          store.saveApplied(changes);
          const restored = store.loadInto(mapWith(peers));
          expect(viewOf(restored)).toEqual(viewOf(map));
          expect(restored.sweep(1e9).totals).toEqual(map.sweep(1e9).totals);
        });
        expect(map.takeChanges()).toBeDefined();
        expect(map.takeChanges()).toEqual({ placements: [], files: [], applied: [] });
      }),
    );
  });

  it('ends at the same state whatever was lost in a crash: rows, orders or the commit, at any flush', () => {
    const crash = fc.record({
      /** Batches that the run got through after the last commit, before it flushed. */
      batches: fc.nat(12),
      reached: fc.constantFrom('nothing', 'rows', 'rows and orders', 'commit'),
      crashes: fc.boolean(),
    });
    fc.assert(
      fc.property(randomLog, fc.array(crash, { maxLength: 8 }), (log, runs) => {
        const peers = new PeerTable();
        const oracle = play(mapWith(peers), log);
        const store = new RowStore();
        let map = mapWith(peers);
        let committed = 0;
        let next = 0;
        for (const { batches, reached, crashes } of runs) {
          const until = Math.min(log.length, next + batches);
          for (; next < until; next++) map.apply(log[next] as PeerBatch, next * 1000);
          const fails = reached !== 'commit';
          const changes = map.takeChanges();
          if (reached !== 'nothing') store.saveRows(changes);
          if (reached === 'rows and orders' || reached === 'commit') store.saveApplied(changes);
          if (reached === 'commit') committed = next;
          if (!crashes && !fails) continue;
          map = store.loadInto(mapWith(peers));
          next = committed;
        }
        play(map, log, next);
        expect(viewOf(map)).toEqual(viewOf(oracle));
        expect(map.sweep(1e9).totals).toEqual(oracle.sweep(1e9).totals);
      }),
      { numRuns: 400 },
    );
  });
});
