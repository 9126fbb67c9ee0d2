/** A mesh for tests: a real embedded log, peers that say what a test lets them say, and analyzers that read it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { createNoopMeter } from '@opentelemetry/api';
import { vi } from 'vitest';
import { createEmbeddedLog, type EmbeddedLog } from '#log/embedded-log.ts';
import type { EventLog } from '#log/port.ts';
import { type Clock, systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { PeerBatch } from '#mesh/events/share-batch.ts';
import {
  type AnalyzerReport,
  type AtRiskFile,
  AtRiskFileSchema,
  type AtRiskOwner,
  AtRiskOwnerSchema,
  type DeadLetter,
  DeadLetterSchema,
  PeerEventsRecordSchema,
} from '#mesh/generated/events_pb.js';
import { generationHeader, isOwnerRecord } from '#mesh/list-fence.ts';
import { silentLogger } from '#mesh/logger.ts';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import {
  partitionOfStorageIndex,
  type StorageIndex,
  storageIndexFromBytes,
  storageIndexToBytes,
} from '#mesh/storage-index.ts';
import {
  enrolmentRecord,
  type PeerSaying,
  peerEvent,
  peerTick,
  shareBatchRecord,
  shareTick,
} from '#mesh/testing/records.ts';
import { type BatchFields, batchOf, registrationOf } from '#mesh/testing/share-events.ts';
import { allTopics, topicsOf } from '#mesh/topics.ts';
import { analyzerMetrics } from '../metrics.ts';
import type { AnalyzerOptions } from '../options.ts';
import type { AnalyzerStore } from '../ports.ts';
import { Analyzer } from '../service.ts';

export const tickMs = 1000;
/** Six peers in two zones. */
export const peers: readonly number[] = [0, 1, 2, 3, 4, 5];
/** Who speaks for owners: each start of a gateway has an id of its own. */
export const gateway = 200;
/** Silence before a test's peer is suspect, and the grace after it. */
export const suspectAfterMs = 2500;
export const graceMs = 2000;
export const staleAfterMs = 5000;

const waiting = { timeout: 20_000, interval: 5 };

export interface Counted {
  sweeps: number;
  truncatedEvents: number;
  malformedRecords: number;
}

export interface RunningAnalyzer {
  readonly analyzer: Analyzer;
  readonly counted: Counted;
  /** As kill -9 would: nothing that is not acknowledged or committed by now comes after. The store must hang. */
  kill(): Promise<void>;
}

export class TestMesh {
  readonly partitions: number;
  readonly config: Config;
  readonly topics;
  log!: EmbeddedLog;
  /** The wall clock of collectors and analyzers; it goes with the ticks. */
  wallMs = 1_700_000_000_000;
  readonly clock: Clock = {
    nowMs: () => this.wallMs,
    monotonicMs: () => systemClock.monotonicMs(),
    after: (delayMs, run) => systemClock.after(delayMs, run),
  };
  readonly #peerPartitions: number;
  #directory = '';
  #sequence = 0;
  readonly #running = new Set<Analyzer>();
  readonly #opened: EmbeddedLog[] = [];

  private constructor(partitions: number, peerPartitions: number, flags: Readonly<Record<string, unknown>>) {
    this.partitions = partitions;
    this.#peerPartitions = peerPartitions;
    this.config = loadConfig({
      flags: {
        'log.topicPrefix': 'test.',
        'analyzer.sweepIntervalMs': 40,
        'analyzer.flushIntervalMs': 10,
        'analyzer.restFlushIntervalMs': 10,
        'analyzer.suspectAfterHeartbeats': 2.5,
        'agent.heartbeatMs': 1000,
        'analyzer.graceMs': graceMs,
        'analyzer.graceMaxMs': graceMs,
        'analyzer.departAfterMs': 600_000,
        'analyzer.settleMs': 1000,
        'analyzer.staleAfterMs': staleAfterMs,
        // Without an error budget only the alerts of files speak: a mesh of three files burns it with the first loss.
        'objective.recoverableRatio': 1,
        'objective.aboveRepairRatio': 1,
        ...flags,
      },
    }).config;
    this.topics = topicsOf({
      prefix: 'test.',
      shareEventsPartitions: partitions,
      peerEventsPartitions: peerPartitions,
      retentionMs: 0,
      retentionBytes: 0,
    });
  }

  static async open(
    options: { partitions?: number; peerPartitions?: number; flags?: Readonly<Record<string, unknown>> } = {},
  ): Promise<TestMesh> {
    const mesh = new TestMesh(options.partitions ?? 2, options.peerPartitions ?? 1, options.flags ?? {});
    mesh.#directory = await mkdtemp(join(tmpdir(), 'meshward-analyzer-'));
    mesh.log = await mesh.openLog();
    return mesh;
  }

  /** Another process's view of the same log. */
  async openLog(): Promise<EmbeddedLog> {
    const log = await createEmbeddedLog({
      directory: join(this.#directory, 'log'),
      topics: allTopics(this.topics),
      clock: this.clock,
      sessionTimeoutMs: 3000,
      pollMaxMs: 10,
    });
    this.#opened.push(log);
    return log;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((analyzer) => analyzer.stop()));
    await Promise.all(this.#opened.map((log) => log.close()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  // --- what peers and collectors say ---------------------------------------------------------------------------------

  /** Appends a batch to every partition that it speaks of, as collectors split it. */
  async says(fields: Omit<BatchFields, 'sequence'> & { sequence?: number }): Promise<void> {
    await this.appendBatch(batchOf({ sequence: ++this.#sequence, ...fields }));
  }

  async appendBatch(batch: PeerBatch): Promise<void> {
    const records = this.split(batch).map(([partition, part]) => ({
      partition,
      key: null,
      value: shareBatchRecord(part),
    }));
    await this.log.append(this.topics.shareEvents.name, records);
  }

  split(batch: PeerBatch): readonly (readonly [number, PeerBatch])[] {
    const partitionAt = (bytes: Uint8Array, i: number): number =>
      partitionOfStorageIndex(bytes, i * 16, this.partitions);
    return Array.from({ length: this.partitions }, (_, partition) => {
      const events = [...batch.kinds.keys()].filter((i) => partitionAt(batch.storageIndexes, i) === partition);
      const deleted = Array.from({ length: batch.deletedFiles.length / 16 }, (_, i) => i);
      const cut = (bytes: Uint8Array, rows: readonly number[]): Uint8Array =>
        Uint8Array.from(rows.flatMap((i) => [...bytes.subarray(i * 16, i * 16 + 16)]));
      const part: PeerBatch = {
        ...batch,
        storageIndexes: cut(batch.storageIndexes, events),
        shareNumbers: Uint8Array.from(events, (i) => batch.shareNumbers[i] as number),
        kinds: Uint8Array.from(events, (i) => batch.kinds[i] as number),
        registrations: batch.registrations.filter(
          ({ manifest }) => this.partitionOf(manifest.storageIndex) === partition,
        ),
        deletedFiles: cut(
          batch.deletedFiles,
          deleted.filter((i) => partitionAt(batch.deletedFiles, i) === partition),
        ),
      };
      return [partition, part] as const;
    });
  }

  partitionOf(file: StorageIndex): number {
    return partitionOfStorageIndex(storageIndexToBytes(file), 0, this.partitions);
  }

  async peerSays(peer: number, saying: PeerSaying, incarnation = 1): Promise<void> {
    await this.log.append(this.topics.peerEvents.name, [this.#peerRecord(peer, incarnation, saying)]);
  }

  #peerRecord(peer: number, incarnation: number, saying: PeerSaying) {
    const value = peerEvent(peer, incarnation, ++this.#sequence, saying);
    return { partition: peer % this.#peerPartitions, key: null, value };
  }

  /** The peers' heartbeats, after an announcement. */
  async beat(peers: readonly number[]): Promise<void> {
    const records = peers.map((peer) => this.#peerRecord(peer, 1, { says: 'heartbeat' }));
    await this.log.append(this.topics.peerEvents.name, records);
  }

  async enrol(peer: number, fields: Parameters<typeof enrolmentRecord>[1] = {}): Promise<void> {
    await this.log.append(this.topics.enrolments.name, [{ partition: 0, ...enrolmentRecord(peer, fields) }]);
  }

  /** Time goes on by one tick in every partition, and these peers are heard. */
  async tick(heard: readonly number[] = [], stepMs = tickMs): Promise<void> {
    this.wallMs += stepMs;
    if (heard.length > 0) await this.beat(heard);
    await this.appendTicks(this.wallMs);
  }

  /** Ticks of a collector whose clock says this. */
  async appendTicks(atMs: number): Promise<void> {
    await this.log.append(this.topics.peerEvents.name, this.#inEach(this.#peerPartitions, peerTick(atMs)));
    await this.log.append(this.topics.shareEvents.name, this.#inEach(this.partitions, shareTick(atMs)));
  }

  #inEach(partitions: number, value: Uint8Array) {
    return Array.from({ length: partitions }, (_, partition) => ({ partition, key: null, value }));
  }

  /** Ticks for a span of log time, with these peers heard at each. */
  async pass(spanMs: number, heard: readonly number[] = []): Promise<void> {
    for (let passed = 0; passed < spanMs; passed += tickMs) await this.tick(heard);
  }

  /** Peers announce themselves, and are heard at a first tick. */
  async announce(who: readonly number[] = peers): Promise<void> {
    for (const peer of who) await this.peerSays(peer, { says: 'announce', domains: { zone: peer < 3 ? 'a' : 'b' } });
    await this.tick(who);
  }

  /** Files are registered by their owner, and each of these peers stores the share of its own number. */
  async put(files: readonly number[], holders: readonly number[] = peers): Promise<void> {
    await this.says({ peer: gateway, registrations: files.map((file) => registrationOf(file)) });
    for (const peer of holders) await this.says({ peer, events: files.map((file) => ['stored', file, peer] as const) });
  }

  /** These peers lose their share of the file. */
  async lose(file: number, losers: readonly number[]): Promise<void> {
    for (const peer of losers) await this.says({ peer, events: [['lost', file, peer]] });
  }

  // --- analyzers -----------------------------------------------------------------------------------------------------

  async start(store: AnalyzerStore, more: Partial<AnalyzerOptions> = {}): Promise<RunningAnalyzer> {
    const { running, started } = this.begin(store, more);
    await started;
    return running;
  }

  /** An analyzer that may still wait for what it needs. */
  begin(
    store: AnalyzerStore,
    more: Partial<AnalyzerOptions> = {},
  ): { readonly running: RunningAnalyzer; readonly started: Promise<void> } {
    const counted: Counted = { sweeps: 0, truncatedEvents: 0, malformedRecords: 0 };
    const analyzer = new Analyzer({
      log: this.log,
      topics: this.topics,
      store,
      config: this.config,
      clock: this.clock,
      logger: silentLogger,
      metrics: {
        ...analyzerMetrics(createNoopMeter()),
        sweepSeconds: { record: () => void counted.sweeps++ },
        truncatedEvents: { add: (count) => void (counted.truncatedEvents += count) },
        malformedRecords: { add: (count) => void (counted.malformedRecords += count) },
      },
      ...more,
      tuning: { stepMs: 2, ...more.tuning },
    });
    this.#running.add(analyzer);
    const started = analyzer.start();
    const kill = async (): Promise<void> => {
      this.#running.delete(analyzer);
      await analyzer.stop();
    };
    return { running: { analyzer, counted, kill }, started };
  }

  /** Resolves once everything said so far was read by the analyzer, and a whole sweep came after it. */
  async seenBy({ analyzer, counted }: RunningAnalyzer): Promise<void> {
    const atMs = this.wallMs;
    await vi.waitFor(() => {
      if (analyzer.failure !== null) throw new Error('the analyzer has failed', { cause: analyzer.failure });
      const { freshness, ownedPartitions } = analyzer.health();
      if (ownedPartitions === 0 || freshness.asOfMs < atMs) throw new Error(`as of ${freshness.asOfMs}, not ${atMs}`);
      if (freshness.reasons.some(({ kind }) => kind === 'rebuilding')) throw new Error('being rebuilt');
    }, waiting);
    const { sweeps } = counted;
    await vi.waitFor(() => {
      if (counted.sweeps < sweeps + 2) throw new Error('no sweep');
    }, waiting);
  }

  /** Resolves once everything in the log is committed. */
  async committed(): Promise<void> {
    await vi.waitFor(async () => {
      const { committed, ends } = await this.offsets();
      if (committed.some((offset, partition) => offset !== ends[partition])) throw new Error('not all is committed');
    }, waiting);
  }

  async offsets(log: EventLog = this.log): Promise<{ committed: readonly (number | null)[]; ends: readonly number[] }> {
    const topic = this.topics.shareEvents.name;
    const ends = (await log.bounds(topic)).map(({ nextOffset }) => nextOffset);
    return { committed: await log.committed('test.analyzers', topic), ends };
  }

  // --- what came of it -------------------------------------------------------------------------------------------------

  /** The standing list as a repairer is to believe it: what an older owner wrote behind a fence does not count. */
  async atRisk(): Promise<ReadonlyMap<StorageIndex, AtRiskFile>> {
    const list = new Map<StorageIndex, AtRiskFile>();
    const newest = new Map<number, number>();
    for (const { partition, key, value, headers } of await this.#all(this.topics.atRisk.name)) {
      const generation = Number(headers[generationHeader] ?? 0);
      if (generation < (newest.get(partition) ?? 0)) continue;
      newest.set(partition, generation);
      if (isOwnerRecord({ key })) continue;
      const file = storageIndexFromBytes(key as Uint8Array);
      if (value === null) list.delete(file);
      else list.set(file, fromBinary(AtRiskFileSchema, value));
    }
    return list;
  }

  /** The records of owners in each partition of the at-risk topic, oldest first. */
  async listOwners(): Promise<readonly (readonly AtRiskOwner[])[]> {
    const owners: AtRiskOwner[][] = Array.from({ length: this.partitions }, () => []);
    for (const { partition, key, value } of await this.#all(this.topics.atRisk.name)) {
      if (isOwnerRecord({ key })) owners[partition]?.push(fromBinary(AtRiskOwnerSchema, value as Uint8Array));
    }
    return owners;
  }

  /** Which inventories the newest report of each analyzer asks for, as `peer: request`. */
  async inventoryAsks(): Promise<ReadonlyMap<PeerId, number>> {
    const newest = new Map<string, AnalyzerReport>();
    for (const { value } of await this.#all(this.topics.peerEvents.name)) {
      const { body } = fromBinary(PeerEventsRecordSchema, value as Uint8Array);
      if (body.case === 'report') newest.set(body.value.analyzer, body.value);
    }
    const asks = [...newest.values()].flatMap(({ inventoryAsks }) => inventoryAsks);
    return new Map(asks.map(({ peerId, request }) => [peerIdFromBytes(peerId), Number(request)]));
  }

  async deadLetters(): Promise<readonly DeadLetter[]> {
    const records = await this.#all(this.topics.deadLetters.name);
    return records.map(({ value }) => fromBinary(DeadLetterSchema, value as Uint8Array));
  }

  async #all(topic: string) {
    const found = [];
    for (const { partition, firstOffset, nextOffset } of await this.log.bounds(topic)) {
      for (let offset = firstOffset; offset < nextOffset; ) {
        const records = await this.log.read(topic, partition, offset, 1 << 20);
        if (records.length === 0) break;
        found.push(...records);
        offset = (records.at(-1)?.offset ?? nextOffset) + 1;
      }
    }
    return found;
  }
}

export function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, waiting);
}
