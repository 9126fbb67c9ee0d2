/** Meshes that are acted, for the page: peers and files as values, judged by the analyzer's own functions. */
import type { OpenAlert } from '#analyzer/alerts/alert-board.ts';
import type { FileAnswer } from '#analyzer/files/file-answer.ts';
import { healthOf } from '#analyzer/files/share-map/health.ts';
import type { TablePeer } from '#analyzer/files/share-map/peer-table.ts';
import { TotalsCount } from '#analyzer/files/share-map/totals.ts';
import type { Freshness } from '#analyzer/mesh/freshness.ts';
import type { MeshHealth } from '#analyzer/service.ts';
import { type DemoPeer, demoPeers } from '#demo/layout.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { compareGrades } from '#mesh/grade.ts';
import { isAvailableState, isCountedState, isRetainedState, type PeerState } from '#mesh/peer-state.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { needsRepair } from '#mesh/share-counts.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { newPeer } from '#peers/liveness/peer-liveness.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import { livenessRules } from '#peers/liveness/rules.ts';

const coding = { k: 25, n: 100 };
const policy = defaultPolicy(coding);
/** What the page shows nothing of. */
const unheard = newPeer(livenessRules(loadConfig({ environment: {} }).config), 0);

export interface ActedMeshOptions {
  readonly peers: number;
  readonly files: number;
  readonly lostZones?: readonly string[];
  readonly suspects?: number;
  readonly freshness?: Freshness;
  readonly alerts?: readonly OpenAlert[];
  /** Of files that are only counted, and never named. */
  readonly alsoFiles?: number;
}

export class ActedMesh {
  readonly peers: PeerFacts[];
  readonly files: readonly FileAnswer[];
  readonly options: ActedMeshOptions;
  readonly #layout: readonly DemoPeer[];
  readonly #listeners = new Set<() => void>();
  sweptAtMs = Date.now();

  constructor(options: ActedMeshOptions) {
    this.options = options;
    this.#layout = demoPeers(options.peers);
    this.peers = this.#layout.map((peer, i) => this.#factsOf(peer, i));
    this.files = Array.from({ length: options.files }, (_, i) => this.#fileOf(i));
  }

  get freshness(): Freshness {
    return this.options.freshness ?? { state: 'fresh', asOfMs: this.sweptAtMs, reasons: [] };
  }

  get listed(): readonly FileAnswer[] {
    return this.files
      .filter(({ listed }) => listed)
      .sort((a, b) => compareGrades(a.health.grade, b.health.grade) || a.health.margin - b.health.margin);
  }

  health(): MeshHealth {
    const count = new TotalsCount();
    for (const { health } of this.files) count.add(health);
    const totals = this.#withMany(count.totals());
    return {
      freshness: this.freshness,
      totals,
      ownTotals: totals,
      sweptAtMs: this.options.files === 0 ? 0 : this.sweptAtMs,
      peers: this.peers,
      alerts: this.options.alerts ?? [],
      ownedPartitions: 16,
      partitions: 16,
    };
  }

  find(index: StorageIndex): FileAnswer | 'unknown' {
    return this.files.find(({ health }) => health.storageIndex === index) ?? 'unknown';
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A peer changes, and those who look are told. */
  becomes(name: string, state: PeerState): void {
    this.peers.forEach((facts, i) => {
      if (facts.name === name) this.peers[i] = { ...facts, state };
    });
    this.sweptAtMs += 500;
    for (const listener of this.#listeners) listener();
  }

  #withMany(totals: ReturnType<TotalsCount['totals']>): ReturnType<TotalsCount['totals']> {
    const { alsoFiles = 0 } = this.options;
    if (alsoFiles === 0) return totals;
    const bytes = alsoFiles * 40_000_000;
    const healthy = totals.byGrade.get('healthy') ?? { files: 0, bytes: 0 };
    const margins = new Map(totals.byMargin.get(policy.name));
    for (let margin = 70; margin <= 75; margin++) margins.set(margin, { files: Math.floor(alsoFiles / 6), bytes: 1 });
    return {
      ...totals,
      files: totals.files + alsoFiles,
      bytes: totals.bytes + bytes,
      byGrade: new Map(totals.byGrade).set('healthy', {
        files: healthy.files + alsoFiles,
        bytes: healthy.bytes + bytes,
      }),
      byMargin: new Map([[policy.name, margins]]),
    };
  }

  #factsOf({ name, zone, region }: DemoPeer, i: number): PeerFacts {
    const { lostZones = [], suspects = 0, peers } = this.options;
    const isLost = lostZones.includes(zone);
    const state: PeerState = isLost ? 'down' : i % 7 === 3 && i / 7 < suspects ? 'suspect' : 'up';
    const silenceMs = state === 'down' ? 192_000 : state === 'suspect' ? 9000 : 400;
    const shares = 900 + ((i * 37) % 120);
    const vitals = {
      sharesHeld: shares,
      shareBytesHeld: shares * 51_200,
      sharesVerified: Math.floor(shares * 0.83),
      diskCapacityBytes: 2 ** 40,
      diskUsedBytes: 2 ** 38,
      cpuUsedRatio: 0.2,
      memoryUsedBytes: 2 ** 31,
      networkReceivedBytes: 2 ** 33,
      networkSentBytes: 2 ** 34,
      processMemoryBytes: 2 ** 27,
      spooledBatches: 0,
      spoolDroppedInventories: 0,
    };
    return {
      peer: peerOf(i),
      name: peers > 1000 ? `${name}-r${i % 50}` : name,
      domains: { zone, region, ...(peers > 1000 ? { rack: `${zone}-r${i % 50}` } : {}) },
      state,
      revoked: false,
      capacityBytes: 2 ** 40,
      inventoryRequest: 0,
      outdatedAtMs: 0,
      outdatedEvents: 0,
      silenceMs,
      inStateMs: silenceMs,
      graceMs: 20_000,
      flapScore: state === 'suspect' ? 2.4 : 0.1,
      unreachableMs: null,
      doubtedMs: null,
      claims: { held: 12, failed: 0 },
      life: { ...unheard, vitals, agentVersion: '0.1.0', order: { incarnation: 3, sequence: 9 } },
    };
  }

  /** On peers of the whole mesh; a third of the files are a few shares short, so that their margins differ. */
  #fileOf(i: number): FileAnswer {
    const registration = registrationOf(i, { ...coding, sizeBytes: 90_000 + ((i * 104_729) % 9_000_000) });
    const short = i % 3 === 0 ? i % 31 : 0;
    const placements = Array.from({ length: coding.n - short }, (_, share) => {
      const at = (i * 13 + share * (this.peers.length > 1000 ? 97 : 1)) % this.peers.length;
      const facts = this.peers[at] as PeerFacts;
      const corrupt = i % 11 === 5 && share === 4;
      return {
        shareNumber: share,
        peer: facts.peer,
        corrupt,
        available: !corrupt && isAvailableState(facts.state),
        counted: !corrupt && isCountedState(facts.state),
        row: rowOf(facts),
      };
    });
    const inputs = placements.map(({ shareNumber, corrupt, row }) => ({ shareNumber, corrupt, peer: row }));
    const health = healthOf(registration, policy, inputs, () => false);
    const gone = this.options.lostZones ?? [];
    const cause =
      gone.length === 0
        ? ''
        : `${coding.n - health.available} shares on peers of zone ${gone.join(', ')} that are down`;
    return {
      health: { ...health, storageIndex: fileOf(i) },
      placements: placements.map(({ row: _row, ...placement }) => placement),
      cause,
      log10Loss: -health.margin / 3,
      listed: needsRepair(health.counted, policy),
      freshness: this.freshness,
    };
  }
}

function rowOf({ peer, state, domains }: PeerFacts): TablePeer {
  return {
    peer,
    state,
    domains,
    available: isAvailableState(state),
    counted: isCountedState(state),
    retained: isRetainedState(state),
  } as TablePeer;
}
