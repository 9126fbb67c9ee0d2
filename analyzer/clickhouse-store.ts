/** The analyzer's store on ClickHouse: its values as rows, and back. */
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type Grade, grades } from '#mesh/grade.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import { storageIndexBytes, storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { AlertChange } from './alerts/recoverability.ts';
import type { PeerLife } from './liveness/peer-liveness.ts';
import type { PeerFacts, StateChange } from './liveness/peer-register.ts';
import type { AnalyzerStore, HealthRow, StoredLiveness, StoredPartition } from './ports.ts';
import type { FileRow, PlacementRow, ShareMapChanges, SweepTotals } from './share-map/share-map.ts';
import type { Store } from './store/client.ts';
import { enqueuePlacements, type PlacementBlock, placementStateNumbers } from './store/placement-columns.ts';
import { gradesOfPartition } from './store/queries/health.ts';
import { livenessMarksOf, peerLivesOf } from './store/queries/peers.ts';
import { appliedOf, fileBatches, placementBlocks } from './store/queries/share-map.ts';
import * as tables from './store/tables.ts';
import type { StoreWriter } from './store/writer.ts';

export interface ClickHouseStoreOptions {
  readonly store: Store;
  readonly writer: StoreWriter;
  readonly clock: Clock;
  /** Names this analyzer in histories. */
  readonly analyzer: string;
}

/** Host figures of a peer are kept at most this often. */
const vitalsIntervalMs = 10_000;

const alertSeverities = { page: 'critical', warning: 'warning' } as const;

export class ClickHouseAnalyzerStore implements AnalyzerStore {
  readonly #store: Store;
  readonly #writer: StoreWriter;
  readonly #clock: Clock;
  readonly #analyzer: string;
  readonly #vitalsKeptAtMs = new Map<PeerId, number>();

  constructor(options: ClickHouseStoreOptions) {
    this.#store = options.store;
    this.#writer = options.writer;
    this.#clock = options.clock;
    this.#analyzer = options.analyzer;
  }

  async loadPartition(partition: number): Promise<StoredPartition> {
    const placements: PlacementRow[] = [];
    for await (const block of placementBlocks(this.#store, partition)) addBlock(block, placements);
    const files: FileRow[] = [];
    for await (const batch of fileBatches(this.#store, partition)) {
      for (const { storageIndex, uebHash, k, n, sizeBytes, origin, tag, deleted, registeredAt } of batch) {
        files.push({
          manifest: { storageIndex, uebHash, k, n, sizeBytes },
          origin,
          tag,
          deleted,
          registeredAtMs: registeredAt,
        });
      }
    }
    const applied = await appliedOf(this.#store, partition);
    const published = await gradesOfPartition(this.#store, partition);
    return {
      placements,
      files,
      applied: applied.map(({ peerId, incarnation, sequence, generation, openGeneration }) => ({
        peer: peerId,
        incarnation,
        sequence,
        generation,
        openGeneration,
      })),
      grades: published.map(
        ({ storageIndex, grade, gradeSince }) => [storageIndex, { grade, sinceMs: gradeSince }] as const,
      ),
    };
  }

  async loadLiveness(): Promise<StoredLiveness> {
    const marks = await livenessMarksOf(this.#store);
    const lives = await peerLivesOf(this.#store);
    return {
      offsets: marks.length === 0 ? null : marks.map(({ nextOffset }) => nextOffset),
      watermarkMs: Math.max(0, ...marks.map(({ watermarkMs }) => watermarkMs)),
      elapsedMs: Math.max(0, ...marks.map(({ elapsedMs }) => elapsedMs)),
      lives: new Map(lives.map(({ peerId, life }) => [peerId, JSON.parse(life) as PeerLife])),
    };
  }

  async savePartition(partition: number, version: number, changes: ShareMapChanges): Promise<void> {
    if (changes.placements.length > 0)
      await enqueuePlacements(this.#writer, columnsOf(partition, version, changes.placements));
    await this.#writer.enqueue(
      tables.files,
      changes.files.map(({ manifest, origin, tag, deleted, registeredAtMs }) => ({
        partition,
        ...manifest,
        origin,
        tag,
        registeredAt: registeredAtMs,
        deleted,
        version,
      })),
    );
    // Placements first: should only they arrive, the batches come again and change nothing that they should not.
    await this.#writer.flush();
    await this.#writer.enqueue(
      tables.applied,
      changes.applied.map(({ peer, ...order }) => ({ partition, peerId: peer, ...order, version })),
    );
  }

  async saveLiveness({ offsets, watermarkMs, elapsedMs, lives }: StoredLiveness): Promise<void> {
    const version = Math.round(elapsedMs);
    await this.#writer.enqueue(
      tables.peerLives,
      [...lives].map(([peerId, life]) => ({ peerId, life: JSON.stringify(life), version })),
    );
    await this.#writer.flush();
    await this.#writer.enqueue(
      tables.livenessMarks,
      (offsets ?? []).map((nextOffset, partition) => ({
        partition,
        nextOffset,
        watermarkMs,
        elapsedMs: version,
        version: nextOffset,
      })),
    );
  }

  async saveHealth(rows: readonly HealthRow[], atMs: number): Promise<void> {
    const at = Math.round(atMs);
    await this.#writer.enqueue(
      tables.fileHealth,
      rows.map(({ partition, health, cause, log10Loss, gradeSinceMs }) => ({
        partition,
        storageIndex: health.storageIndex,
        policy: health.policy.name,
        grade: health.grade,
        gradeSince: Math.round(gradeSinceMs),
        sizeBytes: health.manifest.sizeBytes,
        k: health.manifest.k,
        n: health.manifest.n,
        available: health.available,
        retained: health.retained,
        counted: health.counted,
        margin: health.margin,
        happiness: health.happiness,
        distinctPeers: health.distinctPeers,
        tolerancePeers: health.tolerancePeers,
        toleranceDomains: health.toleranceDomains,
        corrupt: health.corrupt,
        log10Loss,
        cause,
        at,
        deleted: false,
        version: at,
      })),
    );
    await this.#writer.enqueue(
      tables.gradeChanges,
      rows
        .filter(({ gradeChanged }) => gradeChanged)
        .map(({ health, previousGrade, cause }) => ({
          at,
          storageIndex: health.storageIndex,
          policy: health.policy.name,
          fromGrade: previousGrade,
          toGrade: health.grade,
          available: health.available,
          retained: health.retained,
          margin: health.margin,
          sizeBytes: health.manifest.sizeBytes,
          cause,
        })),
    );
  }

  async saveSweep(totals: SweepTotals, atMs: number): Promise<void> {
    const at = Math.round(atMs);
    const analyzer = this.#analyzer;
    await this.#writer.enqueue(
      tables.gradeHistory,
      [...totals.byPolicy].flatMap(([policy, byGrade]) =>
        grades.map((grade: Grade) => ({
          at,
          analyzer,
          policy,
          grade,
          ...(byGrade.get(grade) ?? { files: 0, bytes: 0 }),
        })),
      ),
    );
    await this.#writer.enqueue(
      tables.marginHistory,
      [...totals.byMargin].flatMap(([policy, byMargin]) =>
        [...byMargin].map(([margin, count]) => ({ at, analyzer, policy, margin, ...count })),
      ),
    );
  }

  async savePeers(peers: readonly PeerFacts[], atMs: number): Promise<void> {
    const at = Math.round(atMs);
    await this.#writer.enqueue(
      tables.peers,
      peers.map((facts) => ({
        peerId: facts.peer,
        name: facts.name,
        state: facts.state,
        stateSince: at - Math.max(0, Math.round(facts.inStateMs)),
        domains: facts.domains,
        capacityBytes: facts.capacityBytes,
        usedBytes: facts.life.vitals?.shareBytesHeld ?? 0,
        shares: facts.life.vitals?.sharesHeld ?? 0,
        agentVersion: facts.life.agentVersion,
        host: facts.life.host,
        port: facts.life.port,
        lastHeardAt: facts.silenceMs === null ? 0 : at - Math.max(0, Math.round(facts.silenceMs)),
        incarnation: facts.life.order.incarnation,
        flapScore: facts.flapScore,
        graceMs: Math.min(0xffffffff, Math.round(facts.graceMs)),
        version: at,
      })),
    );
    await this.#saveVitals(peers, at);
  }

  async #saveVitals(peers: readonly PeerFacts[], at: number): Promise<void> {
    const due = peers.filter(
      ({ peer, life, silenceMs }) =>
        life.vitals !== null &&
        (silenceMs ?? vitalsIntervalMs) < vitalsIntervalMs &&
        at - (this.#vitalsKeptAtMs.get(peer) ?? 0) >= vitalsIntervalMs,
    );
    for (const { peer } of due) this.#vitalsKeptAtMs.set(peer, at);
    await this.#writer.enqueue(
      tables.peerVitals,
      due.flatMap(({ peer, life: { vitals } }) => {
        if (vitals === null) return [];
        const { sharesHeld, shareBytesHeld, ...figures } = vitals;
        return [{ at, peerId: peer, ...figures, shares: sharesHeld, shareBytes: shareBytesHeld }];
      }),
    );
  }

  async saveStateChanges(changes: readonly StateChange[], atMs: number): Promise<void> {
    await this.#writer.enqueue(
      tables.peerStateHistory,
      changes.map(({ peer, from, to, silenceMs, shares }) => ({
        at: Math.round(atMs),
        peerId: peer,
        fromState: from,
        toState: to,
        reason: silenceMs === null ? 'never heard' : `silent for ${Math.round(silenceMs / 1000)} s`,
        shares,
      })),
    );
  }

  async saveAlerts(changes: readonly AlertChange[]): Promise<void> {
    await this.#writer.enqueue(
      tables.alerts,
      changes.map(({ id, alert, state, atMs }) => ({
        id,
        at: Math.round(atMs),
        kind: alert.key,
        severity: alertSeverities[alert.severity],
        state: state === 'resolved' ? 'resolved' : 'firing',
        summary: alert.summary,
        details: JSON.stringify({ ...alert.details, next: alert.next }),
        files: alert.files,
      })),
    );
  }

  flush(): Promise<void> {
    return this.#writer.flush();
  }

  waitingSinceMs(): number | null {
    const { failure, lastError, oldestWaitingMs } = this.#writer.stats();
    return failure === null && lastError === null ? null : this.#clock.nowMs() - oldestWaitingMs;
  }
}

const stateNames = { [placementStateNumbers.stored]: 'stored', [placementStateNumbers.corrupt]: 'corrupt' } as const;

function addBlock(block: PlacementBlock, rows: PlacementRow[]): void {
  const peers = Array.from({ length: block.peers.length / 32 }, (_, i) =>
    peerIdFromBytes(block.peers.subarray(i * 32, i * 32 + 32)),
  );
  for (let i = 0; i < block.count; i++) {
    const state = (stateNames as Readonly<Record<number, 'stored' | 'corrupt'>>)[block.states[i] as number];
    const peer = peers[block.peerIndexes[i] as number];
    if (state === undefined || peer === undefined) {
      throw new MeshwardError('store-refused', 'a placement in the store has a state or peer that is not known', {
        next: 'A newer version has written to this database: run that version here too.',
      });
    }
    rows.push({
      storageIndex: storageIndexFromBytes(block.storageIndexes, i * storageIndexBytes),
      shareNumber: block.shareNumbers[i] as number,
      peer,
      state,
      generation: block.generations[i] as number,
    });
  }
}

function columnsOf(
  partition: number,
  version: number,
  rows: readonly PlacementRow[],
): Parameters<typeof enqueuePlacements>[1] {
  const count = rows.length;
  const numbers = new Map<PeerId, number>();
  for (const { peer } of rows) if (!numbers.has(peer)) numbers.set(peer, numbers.size);
  const peers = new Uint8Array(numbers.size * 32);
  for (const [peer, number] of numbers) peers.set(peerIdToBytes(peer), number * 32);
  const storageIndexes = new Uint8Array(count * storageIndexBytes);
  rows.forEach(({ storageIndex }, i) => storageIndexes.set(storageIndexToBytes(storageIndex), i * storageIndexBytes));
  return {
    count,
    partition,
    storageIndexes,
    shareNumbers: Uint8Array.from(rows, ({ shareNumber }) => shareNumber),
    peers,
    peerIndexes: Uint32Array.from(rows, ({ peer }) => numbers.get(peer) as number),
    states: Uint8Array.from(rows, ({ state }) => placementStateNumbers[state]),
    generations: Uint32Array.from(rows, ({ generation }) => generation),
    incarnations: new Float64Array(count),
    sequences: new Float64Array(count),
    versions: new Float64Array(count).fill(version),
  };
}
