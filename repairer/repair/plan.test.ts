import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PeerId } from '#mesh/peer-id.ts';
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import { isRepairUnneeded, knownShares, planRepair } from './plan.ts';

const peers = Array.from({ length: 12 }, (_, at) => Buffer.alloc(32, at + 1).toString('base64url') as PeerId);
const peer = (at: number): PeerId => peers[at] as PeerId;

function entryWith(placements: AtRiskEntry['placements'], change: Partial<AtRiskEntry> = {}): AtRiskEntry {
  return {
    manifest: {
      storageIndex: 'a'.repeat(26) as StorageIndex,
      uebHash: new Uint8Array(32),
      k: 3,
      n: 10,
      sizeBytes: 1000,
    },
    tag: '',
    grade: 'at-risk',
    available: placements.length,
    retained: placements.length,
    counted: placements.length,
    margin: placements.length - 3,
    placements,
    cause: '',
    sinceMs: 0,
    updatedAtMs: 0,
    risk: 1,
    repairUpTo: 8,
    maxSharesPerPeer: 1,
    maxSharesPerDomain: 10,
    revision: 1,
    ownerGeneration: 1,
    ...change,
  };
}

const at = (shareNumber: number, holder: number, available = true) => ({
  shareNumber,
  peerId: peer(holder),
  available,
});

describe('the plan of a repair', () => {
  it('restores up to the goal only, and says what a share of margin costs', () => {
    const entry = entryWith([at(0, 0), at(1, 1), at(2, 2), at(9, 3)]);
    const plan = planRepair(
      entry,
      knownShares(entry, () => 'up'),
      () => 0,
      1_000,
    );
    expect(plan.missing).toEqual([3, 4, 5, 6, 7, 8]);
    expect(plan.restore).toEqual([3, 4, 5, 6]);
    expect(plan.cost).toEqual({ bytesRead: 3_000, bytesWritten: 4_000, bytesPerShareOfMargin: 1_750 });
  });

  it('a share on two peers counts once, and its copy is the last source', () => {
    const entry = entryWith([at(0, 0), at(0, 1), at(1, 2), at(2, 3)]);
    const plan = planRepair(
      entry,
      knownShares(entry, () => 'up'),
      (id) => peers.indexOf(id),
      1,
    );
    expect(plan.counted).toBe(3);
    expect(plan.sources.map((share) => share.peerId)).toEqual([peer(0), peer(2), peer(3), peer(1)]);
  });

  it('prefers fast peers, and other peers over the second share of one', () => {
    const entry = entryWith([at(0, 0), at(1, 0), at(2, 1), at(3, 2)]);
    const plan = planRepair(
      entry,
      knownShares(entry, () => 'up'),
      (id) => peers.indexOf(id),
      1,
    );
    expect(plan.sources.map((share) => share.shareNumber)).toEqual([0, 2, 3, 1]);
  });

  it('believes what a peer says it holds over the list, but counts only what the list knows or we checked', () => {
    const entry = entryWith([at(0, 0), at(1, 1)]);
    const shares = knownShares(entry, () => 'up', new Map([[peer(0), new Set([4, 5])]]), [
      { shareNumber: 5, peerId: peer(0) },
    ]);
    expect(shares).toEqual([
      { shareNumber: 1, peerId: peer(1), available: true, counted: true },
      { shareNumber: 4, peerId: peer(0), available: true, counted: false },
      { shareNumber: 5, peerId: peer(0), available: true, counted: true },
    ]);
  });

  it('is not needed when what counts has grown to the trigger, but acts when the list counted as much', () => {
    const placements = [at(0, 0), at(1, 1), at(2, 2), at(3, 3), at(4, 4), at(5, 5)];
    const grown = entryWith(placements, { counted: 4 });
    const same = entryWith(placements, { counted: 6 });
    const plan = planRepair(
      grown,
      knownShares(grown, () => 'up'),
      () => 0,
      1,
    );
    expect(isRepairUnneeded(grown, plan, 6)).toBe(true);
    expect(isRepairUnneeded(same, plan, 6)).toBe(false);
  });

  it('never restores a share that counts, never more than the goal, and reads only from what is up', () => {
    const placement = fc.record({ shareNumber: fc.nat(9), holder: fc.nat(11), available: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(placement, { maxLength: 20 }),
        fc.array(fc.option(fc.constantFrom(...peerStates), { nil: undefined }), { minLength: 12, maxLength: 12 }),
        fc.integer({ min: 3, max: 10 }),
        (placements, states, repairUpTo) => {
          const entry = entryWith(
            placements.map((each) => at(each.shareNumber, each.holder, each.available)),
            { repairUpTo },
          );
          const stateOf = (id: PeerId): PeerState | undefined => states[peers.indexOf(id)];
          const shares = knownShares(entry, stateOf);
          const plan = planRepair(entry, shares, () => 0, 1);
          const counted = new Set(shares.filter((share) => share.counted).map((share) => share.shareNumber));
          expect(plan.restore.some((number) => counted.has(number))).toBe(false);
          expect(plan.counted + plan.restore.length).toBe(Math.max(plan.counted, repairUpTo));
          expect(new Set(plan.restore).size).toBe(plan.restore.length);
          for (const source of plan.sources) {
            const state = stateOf(source.peerId);
            expect(state === undefined ? source.available : state === 'up' || state === 'draining').toBe(true);
          }
        },
      ),
    );
  });
});
