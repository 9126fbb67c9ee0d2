/** The analyzer's store on ClickHouse: its values as rows, and back. */
import type { Clock } from '#mesh/clock.ts';
import { type Grade, grades } from '#mesh/grade.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PeerFacts, StateChange } from '#peers/liveness/peer-register.ts';
import { type StoredLiveness, storedLiveness } from '#peers/liveness/stored-lives.ts';
import type { Store } from '#store/client.ts';
import { enqueuePlacements } from '#store/placement-columns.ts';
import { openAlerts } from '#store/queries/audit.ts';
import { type DisputedProofs, disputedProofs } from '#store/queries/disputed-proofs.ts';
import { newestSweep } from '#store/queries/newest-sweep.ts';
import { livenessMarksOf, peerLivesOf } from '#store/queries/peers.ts';
import { uint64 } from '#store/row-binary/columns.ts';
import { encodeRows } from '#store/row-binary/table.ts';
import * as tables from '#store/tables.ts';
import { versionOf } from '#store/versions.ts';
import type { WriteGuard } from '#store/write-batch.ts';
import type { StoreWriter } from '#store/writer.ts';
import type { AlertChange, OpenAlert } from '../alerts/alert-board.ts';
import type { ObjectiveCount } from '../alerts/objective.ts';
import { type Count, innerOf } from '../files/share-map/totals.ts';
import type {
  AnalyzerStore,
  ExposureRecord,
  FilePlace,
  GoneFile,
  HealthRow,
  PartitionChanges,
  PartitionSink,
  StoredFile,
  StoredPartition,
  StoredSweep,
  SweepRecord,
  WorstFiles,
  WorstQuery,
} from '../ports.ts';
import { loadObjectiveHistory } from './objective-history.ts';
import { alertOfRow, type StoredAlertDetails } from './stored-alerts.ts';
import { loadStoredFiles, loadWorstFiles } from './stored-files.ts';
import { loadStoredPartition, openGenerationOf } from './stored-partition.ts';

export interface ClickHouseStoreOptions {
  readonly store: Store;
  readonly writer: StoreWriter;
  readonly clock: Clock;
  /** Names this analyzer in histories of what it alone sees. Stable, and another one for each process: `instanceName`. */
  readonly analyzer: string;
  /** Why the database cannot be used yet; null once it can. @default it can */
  readonly trouble?: () => unknown;
}

/** Host figures of a peer are kept at most this often. */
const vitalsIntervalMs = 10_000;

/** So many rows of health or more are worth a batch of their own, and wait for it. */
const fewRows = 500;
const fewRowsDelayMs = 20;

/** Histories of the mesh have one name in place of an analyzer's: whoever writes them, a reader must not add them up. */
const wholeMesh = 'mesh';

export class ClickHouseAnalyzerStore implements AnalyzerStore {
  readonly #store: Store;
  readonly #writer: StoreWriter;
  readonly #clock: Clock;
  readonly #analyzer: string;
  readonly #trouble: () => unknown;
  readonly #vitalsKeptAtMs = new Map<PeerId, number>();
  #saves = 0;

  constructor(options: ClickHouseStoreOptions) {
    this.#store = options.store;
    this.#writer = options.writer;
    this.#clock = options.clock;
    this.#analyzer = options.analyzer;
    this.#trouble = options.trouble ?? (() => null);
  }

  get trouble(): unknown {
    return this.#trouble();
  }

  async claimPartition(partition: number, generation: number): Promise<boolean> {
    const owners = this.#store.qualified('partition_owners');
    // This claim may have been made already, by a try after which the store went away.
    const earlier = await this.#store.select(
      { count: uint64 },
      `SELECT count() AS count FROM ${owners} WHERE partition = {partition:UInt16} AND generation < {generation:UInt64}`,
      { parameters: { partition, generation } },
    );
    const row = { partition, generation, analyzer: this.#analyzer, since: Math.round(this.#clock.nowMs()) };
    const token = `${partition} ${generation} ${this.#analyzer}`;
    await this.#store.insert(tables.partitionOwners, [encodeRows(tables.partitionOwners, [row])], { token });
    return (earlier[0]?.count ?? 0) === 0;
  }

  loadPartition(partition: number, into: PartitionSink): Promise<StoredPartition> {
    return loadStoredPartition(this.#store, partition, into);
  }

  loadFiles(places: readonly FilePlace[]): Promise<readonly StoredFile[]> {
    return loadStoredFiles(this.#store, places);
  }

  loadWorst(query: WorstQuery): Promise<WorstFiles> {
    return loadWorstFiles(this.#store, query);
  }

  async loadLiveness(): Promise<StoredLiveness> {
    return storedLiveness(await livenessMarksOf(this.#store), await peerLivesOf(this.#store));
  }

  async loadOpenAlerts(): Promise<readonly OpenAlert[]> {
    return (await openAlerts(this.#store)).map(alertOfRow);
  }

  async loadLastSweep(): Promise<StoredSweep | null> {
    const sweep = await newestSweep(this.#store, wholeMesh);
    if (sweep === null) return null;
    const byPolicy = new Map<string, Map<Grade, Count>>();
    for (const { policy, grade, files, bytes } of sweep.grades) innerOf(byPolicy, policy).set(grade, { files, bytes });
    const byMargin = new Map<string, Map<number, Count>>();
    for (const { policy, margin, files, bytes } of sweep.margins)
      innerOf(byMargin, policy).set(margin, { files, bytes });
    return { byPolicy, byMargin, atMs: sweep.at };
  }

  loadDisputedProofs(sinceMs: number): Promise<DisputedProofs> {
    return disputedProofs(this.#store, sinceMs);
  }

  loadObjectiveHistory(sinceMs: number, maxSteps: number): Promise<readonly ObjectiveCount[]> {
    return loadObjectiveHistory(this.#store, { sinceMs, nowMs: this.#clock.nowMs(), maxSteps });
  }

  async savePartitions(partitions: readonly PartitionChanges[]): Promise<void> {
    const nowMs = Math.round(this.#clock.nowMs());
    for (const { partition, version, changes } of partitions) {
      for await (const block of changes.placements) {
        const { count } = block;
        const orders = new Float64Array(count);
        const versions = new Float64Array(count).fill(version);
        const columns = { ...block, partition, incarnations: orders, sequences: orders, versions };
        await enqueuePlacements(this.#writer, columns);
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
        changes.applied.map((order) => ({
          partition,
          peerId: order.peer,
          incarnation: order.incarnation,
          sequence: order.sequence,
          generation: order.generation,
          openGeneration: openGenerationOf(order),
          version,
          ownerHeardAt: order.speaksForOwners === true ? nowMs : 0,
        })),
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

  async saveHealth(rows: readonly HealthRow[], guard: WriteGuard): Promise<void> {
    const save = ++this.#saves;
    await this.#writer.enqueue(
      tables.fileHealth,
      rows.map(({ partition, generation, health, atMs, cause, log10Loss, previousGrade, gradeSinceMs }) => ({
        partition,
        storageIndex: health.storageIndex,
        policy: health.policy.name,
        grade: health.grade,
        previousGrade,
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
        version: versionOf(generation, save),
      })),
      guard,
    );
    // A few rows are a change that somebody may be looking at.
    if (rows.length < fewRows) this.#writer.hasten(tables.fileHealth, fewRowsDelayMs);
  }

  async saveGone(files: readonly GoneFile[], guard: WriteGuard): Promise<void> {
    const save = ++this.#saves;
    await this.#writer.enqueue(
      tables.fileHealth,
      files.map(({ partition, generation, storageIndex, atMs }) => ({
        ...goneHealth,
        partition,
        storageIndex,
        gradeSince: atMs,
        at: atMs,
        version: versionOf(generation, save),
      })),
      guard,
    );
  }

  async saveSweeps(sweeps: readonly SweepRecord[]): Promise<void> {
    for (const sweep of sweeps) await this.#saveSweep(sweep);
  }

  async #saveSweep({ totals, atMs }: SweepRecord): Promise<void> {
    const at = Math.round(atMs);
    const analyzer = wholeMesh;
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

  async saveExposure(rows: readonly ExposureRecord[]): Promise<void> {
    await this.#writer.enqueue(
      tables.domainExposure,
      rows.map(({ atMs, ...row }) => ({ ...row, at: Math.round(atMs), analyzer: this.#analyzer })),
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
      changes.map(({ id, alert, state, atMs, sinceMs, escalatedTo }) => ({
        id,
        at: Math.round(atMs),
        kind: alert.key,
        severity: alert.severity,
        state: state === 'resolved' ? 'resolved' : 'firing',
        summary: alert.summary,
        details: JSON.stringify({
          ...alert.details,
          ...(escalatedTo === undefined ? {} : { escalatedTo: escalatedTo.key }),
          next: alert.next,
          bytes: alert.bytes,
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

/** What a row that says "gone" holds beside its key. */
const goneHealth = {
  policy: '',
  grade: 'lost',
  previousGrade: null,
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

function reasonOf(to: StateChange['to'], silenceMs: number | null): string {
  if (silenceMs === null) return 'never heard';
  if (to === 'up' || to === 'draining') return 'heard';
  return `silent for ${Math.round(silenceMs / 1000)} s`;
}
