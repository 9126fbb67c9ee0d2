/** The analyzer's store on ClickHouse: its values as rows, and back. */
import type { Clock } from '#mesh/clock.ts';
import { type Grade, grades } from '#mesh/grade.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { AlertChange, OpenAlert } from './alerts/alert-board.ts';
import type { Severity } from './alerts/recoverability.ts';
import type { PeerLife } from './liveness/peer-liveness.ts';
import type { PeerFacts, StateChange } from './liveness/peer-register.ts';
import type {
  AnalyzerStore,
  GoneFile,
  HealthRow,
  LivenessMark,
  PartitionChanges,
  StoredLiveness,
  StoredPartition,
  SweepRecord,
} from './ports.ts';
import type { FileRow, PlacementRow } from './share-map/share-map.ts';
import type { Store } from './store/client.ts';
import { enqueuePlacements } from './store/placement-columns.ts';
import { openAlerts } from './store/queries/audit.ts';
import { gradesOfPartition } from './store/queries/health.ts';
import { livenessMarksOf, peerLivesOf } from './store/queries/peers.ts';
import { appliedOf, fileBatches, placementBlocks } from './store/queries/share-map.ts';
import * as tables from './store/tables.ts';
import type { StoreWriter } from './store/writer.ts';
import { addBlock, columnsOf } from './stored-placements.ts';

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
    const files = await this.#loadFiles(partition);
    const applied = await appliedOf(this.#store, partition);
    const published = await gradesOfPartition(this.#store, partition);
    return {
      version: applied.reduce((largest, { version }) => Math.max(largest, version), 0),
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

  /** A deleted file's row is there without FINAL, until a merge drops it. */
  async #loadFiles(partition: number): Promise<FileRow[]> {
    const sql = `SELECT ${tables.files.columnNames.join(', ')} FROM ${this.#store.qualified('files')} WHERE partition = {partition:UInt16} AND deleted`;
    const deleted = await this.#store.select(tables.files.columns, sql, { parameters: { partition } });
    const byIndex = new Map(deleted.map((row) => [row.storageIndex, fileRowOf(row)]));
    for await (const batch of fileBatches(this.#store, partition)) {
      for (const row of batch) byIndex.set(row.storageIndex, fileRowOf(row));
    }
    return [...byIndex.values()];
  }

  async loadLiveness(): Promise<StoredLiveness> {
    const marks: LivenessMark[] = [];
    for (const { partition, nextOffset, watermarkMs, elapsedMs } of await livenessMarksOf(this.#store)) {
      marks[partition] = { nextOffset, watermarkMs, elapsedMs };
    }
    const lives = await peerLivesOf(this.#store);
    return { marks, lives: new Map(lives.map(({ peerId, life }) => [peerId, JSON.parse(life) as PeerLife])) };
  }

  async loadOpenAlerts(): Promise<readonly OpenAlert[]> {
    const rows = await openAlerts(this.#store);
    return rows.flatMap(({ id, kind, severity, summary, details, files }) => {
      const { analyzer, next, sinceMs, ...rest } = JSON.parse(details) as StoredAlertDetails;
      if (analyzer !== this.#analyzer) return [];
      const known: Severity = severity === 'critical' ? 'page' : 'warning';
      return [{ id, alert: { key: kind, severity: known, summary, next, files, details: rest }, sinceMs }];
    });
  }

  async savePartitions(partitions: readonly PartitionChanges[]): Promise<void> {
    for (const { partition, version, changes } of partitions) {
      if (changes.placements.length > 0) {
        await enqueuePlacements(this.#writer, columnsOf(partition, version, changes.placements));
      }
      await this.#writer.enqueue(
        tables.files,
        changes.files.map(({ manifest, origin, tag, deleted, registeredAtMs }) => ({
          partition,
          ...manifest,
          origin,
          tag,
          registeredAt: Math.round(registeredAtMs),
          deleted,
          version,
        })),
      );
    }
    // Placements first: should only they arrive, the batches come again and change nothing that they should not.
    await this.#writer.flush();
    await this.#writer.enqueue(
      tables.applied,
      partitions.flatMap(({ partition, version, changes }) =>
        changes.applied.map(({ peer, ...order }) => ({ partition, peerId: peer, ...order, version })),
      ),
    );
  }

  async saveLiveness({ marks, lives }: StoredLiveness): Promise<void> {
    const version = marks.reduce((sum, { nextOffset }) => sum + nextOffset, 0);
    await this.#writer.enqueue(
      tables.peerLives,
      [...lives].map(([peerId, life]) => ({ peerId, life: JSON.stringify(life), version })),
    );
    await this.#writer.flush();
    await this.#writer.enqueue(
      tables.livenessMarks,
      marks.map(({ nextOffset, watermarkMs, elapsedMs }, partition) => ({
        partition,
        nextOffset,
        watermarkMs: Math.round(watermarkMs),
        elapsedMs: Math.round(elapsedMs),
        version: nextOffset,
      })),
    );
  }

  async saveHealth(rows: readonly HealthRow[]): Promise<void> {
    await this.#writer.enqueue(
      tables.fileHealth,
      rows.map(({ partition, health, atMs, cause, log10Loss, gradeSinceMs }) => ({
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
        at: atMs,
        deleted: false,
        version: atMs,
      })),
    );
    await this.#writer.enqueue(
      tables.gradeChanges,
      rows
        .filter(({ gradeChanged }) => gradeChanged)
        .map(({ health, atMs, previousGrade, cause }) => ({
          at: atMs,
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

  async saveGone(files: readonly GoneFile[]): Promise<void> {
    await this.#writer.enqueue(
      tables.fileHealth,
      files.map(({ partition, storageIndex, atMs }) => ({
        ...goneHealth,
        partition,
        storageIndex,
        gradeSince: atMs,
        at: atMs,
        version: atMs,
      })),
    );
  }

  async saveSweeps(sweeps: readonly SweepRecord[]): Promise<void> {
    for (const sweep of sweeps) await this.#saveSweep(sweep);
  }

  async #saveSweep({ totals, atMs }: SweepRecord): Promise<void> {
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
        reason: reasonOf(to, silenceMs),
        shares,
      })),
    );
  }

  async saveAlerts(changes: readonly AlertChange[]): Promise<void> {
    await this.#writer.enqueue(
      tables.alerts,
      changes.map(({ id, alert, state, atMs, sinceMs }) => ({
        id,
        at: Math.round(atMs),
        kind: alert.key,
        severity: alertSeverities[alert.severity],
        state: state === 'resolved' ? 'resolved' : 'firing',
        summary: alert.summary,
        details: JSON.stringify({
          ...alert.details,
          next: alert.next,
          sinceMs,
          analyzer: this.#analyzer,
        } satisfies StoredAlertDetails),
        files: alert.files,
      })),
    );
  }

  flush(): Promise<void> {
    return this.#writer.flush();
  }

  waitingSinceMs(): number | null {
    const { queuedRows, oldestWaitingMs } = this.#writer.stats();
    return queuedRows === 0 ? null : this.#clock.nowMs() - oldestWaitingMs;
  }
}

interface StoredAlertDetails extends Readonly<Record<string, string | number>> {
  readonly next: string;
  readonly sinceMs: number;
  readonly analyzer: string;
}

/** What a row that says "gone" holds beside its key. */
const goneHealth = {
  policy: '',
  grade: 'lost',
  sizeBytes: 0,
  k: 0,
  n: 0,
  available: 0,
  retained: 0,
  counted: 0,
  margin: 0,
  happiness: 0,
  distinctPeers: 0,
  tolerancePeers: 0,
  toleranceDomains: {},
  corrupt: 0,
  log10Loss: null,
  cause: 'deleted by its owner',
  deleted: true,
} as const;

function fileRowOf({
  storageIndex,
  uebHash,
  k,
  n,
  sizeBytes,
  origin,
  tag,
  deleted,
  registeredAt,
}: tables.FileRow): FileRow {
  return { manifest: { storageIndex, uebHash, k, n, sizeBytes }, origin, tag, deleted, registeredAtMs: registeredAt };
}

function reasonOf(to: StateChange['to'], silenceMs: number | null): string {
  if (silenceMs === null) return 'never heard';
  if (to === 'up' || to === 'draining') return 'heard';
  return `silent for ${Math.round(silenceMs / 1000)} s`;
}
