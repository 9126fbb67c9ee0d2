/**
 * The repairer as a service: it owns partitions of `at-risk` in the consumer group `repairers`, keeps their standing list in its
 * queue, runs repairs in lanes, and waits for the analyzer to see what they did. It keeps nothing on disk: after a crash the
 * list is read again, and what was under way is an incomplete upload that no reader sees.
 */
import { type AssignedPartition, type GroupConsumer, type Membership, partitionKey } from '#log/port.ts';
import { describeError, hasCode, MeshwardError } from '#mesh/errors.ts';
import type { Fence } from '#peers/peer-storage.ts';
import { Drains } from './drain/drains.ts';
import { Holds } from './holds.ts';
import { createRepairerMetrics, type RepairerMetrics } from './metrics.ts';
import type { CampaignsBeside, RepairerOptions } from './options.ts';
import { type PeersLook, PeersWatch } from './peers-watch.ts';
import { ReachWatch } from './probes/reach-watch.ts';
import { Samples } from './probes/samples.ts';
import { RepairQueue } from './queue/queue.ts';
import type { RepairClass } from './queue/risk.ts';
import { StandingList } from './queue/standing-list.ts';
import { fenceScope, RepairLanes } from './repair/lanes.ts';
import type { RepairReport } from './repair/repair-report.ts';
import { defaultRepairSettings } from './repair/tools.ts';
import { UploadBuffers, uploadWindows } from './repair/upload-buffers.ts';
import type { LaneKind, RepairerEvent, RepairerState } from './repairer-state.ts';

const defaultGroup = 'repairers';

export interface Repairer {
  /** Rejects where the log ends the membership for good; resolves after `stop`. */
  readonly ended: Promise<void>;
  state(): RepairerState;
  /** Called with each event until the returned function is called. Listeners must not throw. */
  subscribe(listener: (event: RepairerEvent) => void): () => void;
  /** Takes no more files, calls off what runs (its uploads are aborted), and leaves the group. */
  stop(): Promise<void>;
}

const heldRecordBytes = 64 * 1024 * 1024;
const refillEveryMs = 60_000;
/** Least time between two wakings of what failed, so that a peer that comes and goes does not keep every lane busy. */
const helpEveryMs = 5_000;

/** Joins the group and starts to work. @throws MeshwardError where the log cannot be joined. */
export async function createRepairer(options: RepairerOptions): Promise<Repairer> {
  const service = new RepairerService(options);
  await service.start();
  return service;
}

class RepairerService implements Repairer {
  readonly #options: RepairerOptions;
  readonly #queue: RepairQueue;
  readonly #list: StandingList;
  readonly #metrics: RepairerMetrics;
  readonly #lanes: RepairLanes;
  readonly #watch: PeersWatch;
  readonly #holds: Holds;
  readonly #drains: Drains;
  readonly #reach: ReachWatch;
  readonly #samples: Samples;
  readonly #stop = new AbortController();
  readonly #campaigns: CampaignsBeside | undefined;
  readonly #generations = new Map<number, number>();
  readonly #listeners = new Set<(event: RepairerEvent) => void>();
  #membership: Membership | undefined;
  #stopping = false;
  #callOffPump: () => void = () => undefined;
  #callOffHelp: (() => void) | undefined;
  #nextHelpAtMs = 0;
  #pumpDue = false;
  ended: Promise<void> = Promise.resolve();

  constructor(options: RepairerOptions) {
    this.#options = options;
    const { config, list, mesh } = options;
    const { clock } = options.runtime;
    const { meter, logger } = options.telemetry;
    const settings = { ...defaultRepairSettings, windowBytes: config.windowBytes, ...options.tuning?.settings };
    const uploadBuffers = new UploadBuffers(uploadWindows * settings.windowBytes);
    this.#queue = new RepairQueue({ maxFiles: config.maxQueuedFiles, maxHeldBytes: heldRecordBytes });
    this.#metrics = createRepairerMetrics(meter, {
      queued: () => this.#lengths(),
      running: () => this.#lanes.size,
      leftOutPartitions: () => this.#queue.leftOutPartitions.size,
      brakeHeld: () => this.#watch.brake.held,
      peersAgeMs: () => this.#watch.freshness.ageMs,
      uploadBytes: () => uploadBuffers.takenBytes,
    });
    this.#list = new StandingList({
      log: list.log,
      topic: list.topic,
      queue: this.#queue,
      maxFiles: config.maxQueuedFiles,
      clock,
      refillEveryMs,
      onChange: () => this.#pumpSoon(),
      onRemoved: (file) => this.#lanes.offTheList(file),
      onUnusable: (reason) => {
        this.#metrics.fault('unusable-record');
        logger.warn({}, reason);
      },
      onFailed: (what, error) => {
        this.#metrics.fault('entry-read');
        logger.warn({ error: describeError(error) }, what);
      },
    });
    const tools = { mesh, policies: options.policies, runtime: options.runtime, settings, uploadBuffers };
    this.#lanes = new RepairLanes({
      config,
      tools,
      queue: this.#queue,
      list: this.#list,
      writer: options.store.writer,
      telemetry: { ...options.telemetry, metrics: this.#metrics },
      fenceOf: (partition) => this.#fenceOf(partition),
      isTakenElsewhere: (storageIndex) =>
        this.#drains.isWorkingOn(storageIndex) || this.#campaigns?.isWorkingOn(storageIndex) === true,
      events: {
        emit: (event) => this.#emit(event),
        free: () => this.#pumpSoon(),
        recorded: (report) => this.#sayFindings(report),
      },
    });
    this.#drains = new Drains({
      store: options.store.drains,
      tools,
      owned: () => this.#fences(),
      room: () => this.#holds.roomForDrains(this.#lanes.count('bulk')),
      isBusyWith: (storageIndex) =>
        this.#queue.find(storageIndex)?.state === 'taken' || this.#campaigns?.isWorkingOn(storageIndex) === true,
      isLeftToCampaigns: (peerId) => options.orders?.isLeaving(peerId) === true,
      ended: (report) => this.#lanes.record(report, 'degraded'),
      logger,
    });
    const probing = mesh.transfer.begin({ urgent: false, signal: this.#stop.signal });
    this.#reach = new ReachWatch({ facts: () => mesh.peerView.facts(), transfer: probing, words: mesh.words, clock });
    this.#samples = new Samples({
      store: options.store.samples,
      partitions: () => [...this.#generations.keys()],
      factOf: (peerId) => mesh.peerView.fact(peerId),
      transfer: probing,
      words: mesh.words,
      tell: (outcome) => this.#metrics.sampled(outcome),
      by: { clock, random: options.runtime.random, logger },
      perMinute: config.samplesPerMinute,
    });
    this.#watch = new PeersWatch({
      peerView: mesh.peerView,
      clock,
      brake: { silentRatio: config.brakeSilentRatio, windowMs: config.brakeWindowMs },
      everyMs: options.tuning?.peersEveryMs ?? 5_000,
      onLook: (look) => this.#looked(look),
    });
    this.#holds = new Holds({
      watch: this.#watch,
      orders: options.orders,
      waiting: () => this.#queue.waiting(),
      isLoaded: () => this.#list.isLoaded,
      isStopping: () => this.#stopping,
      maxConcurrentRepairs: config.maxConcurrentRepairs,
    });
    this.#campaigns = options.orders?.campaigns({
      tools,
      fenceOf: (partition) => this.#fenceOf(partition),
      ownedPartitions: () => [...this.#generations.keys()],
      holdReason: (priority) => this.#holds.ofCampaign(priority),
      isRepairing: (storageIndex) => this.#lanes.isRepairing(storageIndex) || this.#drains.isWorkingOn(storageIndex),
      found: (storageIndex, share) => mesh.words.found(storageIndex, share, 'a campaign found it corrupt'),
    });
  }

  async start(): Promise<void> {
    const { list, mesh } = this.#options;
    await mesh.directory.ready;
    this.#watch.start();
    const consumer: GroupConsumer = {
      assigned: (partitions) => this.#assigned(partitions),
      revoked: (partitions) => this.#revoked(partitions),
      records: async (partition, records) => {
        await this.#list.apply(partition.partition, records);
        const last = records.at(-1);
        if (last !== undefined) await this.#commit(partition, last.offset + 1);
      },
    };
    try {
      this.#membership = await list.log.join(list.group ?? defaultGroup, [list.topic], consumer);
    } catch (error) {
      await this.stop();
      throw error;
    }
    const membership = this.#membership;
    this.ended = new Promise((resolve, reject) => {
      membership.ended.then(resolve, reject);
      // Without the directory no new peer would ever be reached.
      mesh.directory.ended.catch(reject);
    });
    this.ended.catch(() => undefined);
    this.#drains.start();
    this.#reach.start();
    this.#samples.start();
    this.#campaigns?.start();
    this.#pumpSoon();
  }

  state(): RepairerState {
    return {
      ready: this.#membership !== undefined && this.#list.isLoaded,
      stopping: this.#stopping,
      partitions: [...this.#generations].map(([partition, generation]) => ({ partition, generation })),
      files: this.#lengths(),
      resting: this.#queue.restingCount,
      leftOutPartitions: [...this.#queue.leftOutPartitions],
      unconfirmedPartitions: this.#list.unconfirmed,
      running: this.#lanes.running(),
      brake: this.#watch.brake,
      bulkHeld: this.#holds.ofBulk(),
      recent: [...this.#lanes.recent],
      failing: this.#lanes.failing(),
      drain: this.#drains.state,
      peers: this.#watch.freshness,
    };
  }

  subscribe(listener: (event: RepairerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#callOffPump();
    this.#callOffHelp?.();
    this.#watch.stop();
    this.#reach.stop();
    this.#stop.abort(stopped());
    await this.#samples.stop();
    await this.#drains.stop();
    await Promise.all([this.#lanes.callOff(stopped()), this.#campaigns?.stop()]);
    await this.#membership?.leave();
  }

  async #assigned(partitions: readonly AssignedPartition[]): Promise<ReadonlyMap<string, number>> {
    for (const { partition, generation } of partitions) this.#generations.set(partition, generation);
    const starts = await this.#list.own(partitions.map((each) => each.partition));
    return new Map(
      [...starts].map(([partition, offset]) => [partitionKey(this.#options.list.topic, partition), offset]),
    );
  }

  async #revoked(partitions: readonly AssignedPartition[]): Promise<void> {
    const numbers = new Set(partitions.map((each) => each.partition));
    for (const number of numbers) {
      this.#generations.delete(number);
      this.#list.disown(number);
    }
    await Promise.all([
      this.#lanes.callOff(takenAway(), (partition) => numbers.has(partition)),
      this.#campaigns?.revoked(),
    ]);
  }

  async #commit(partition: AssignedPartition, nextOffset: number): Promise<void> {
    try {
      await this.#membership?.commit(partition, nextOffset);
    } catch (error) {
      // The list is read from its beginning in any case: a commit only shows how far we are.
      if (!hasCode(error, 'log-fenced'))
        this.#options.telemetry.logger.warn({ error: describeError(error) }, 'progress could not be committed');
    }
  }

  /** Starts what can be started, once everything that arrived together has been taken in. */
  #pumpSoon(): void {
    if (this.#pumpDue || this.#stopping) return;
    this.#pumpDue = true;
    queueMicrotask(() => {
      this.#pumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    this.#callOffPump();
    if (this.#stopping) return;
    const { config, runtime, telemetry } = this.#options;
    const { clock } = runtime;
    this.#queue.wake(clock.nowMs());
    const room: readonly [LaneKind, number, 'any' | 'critical'][] = [
      ['bulk', config.maxConcurrentRepairs, this.#holds.ofBulk() === null ? 'any' : 'critical'],
      ['critical', config.criticalLanes, 'critical'],
    ];
    for (const [kind, most, which] of room) {
      while (this.#lanes.count(kind) < most) {
        const file = this.#queue.take(which, clock.nowMs());
        if (file === undefined) break;
        this.#lanes.start(kind, file);
      }
    }
    const wakeMs = this.#queue.nextWakeMs();
    if (wakeMs !== undefined && Number.isFinite(wakeMs))
      this.#callOffPump = clock.after(Math.max(1, wakeMs - clock.nowMs()), () => this.#pump());
    void this.#list.refill().catch((error: unknown) => {
      this.#metrics.fault('entry-read');
      telemetry.logger.warn({ error: describeError(error) }, 'files that did not fit in memory could not be read');
    });
  }

  #looked({ changed, helps }: PeersLook): void {
    if (changed) {
      const { brake } = this.#watch;
      const holdReason = this.#holds.ofBulk();
      const { logger } = this.#options.telemetry;
      logger.warn({ reason: holdReason ?? '' }, holdReason === null ? 'bulk repair goes on' : 'bulk repair holds');
      this.#emit({ kind: 'brake', brake });
    }
    if (helps) this.#wakeFailed();
    this.#pumpSoon();
  }

  /** What failed need not wait out its rest when something came that could help; soon again where it was woken just now. */
  #wakeFailed(): void {
    if (this.#callOffHelp !== undefined || this.#stopping) return;
    const { clock } = this.#options.runtime;
    const waitMs = Math.max(0, this.#nextHelpAtMs - clock.monotonicMs());
    this.#callOffHelp = clock.after(waitMs, () => {
      this.#callOffHelp = undefined;
      this.#nextHelpAtMs = clock.monotonicMs() + helpEveryMs;
      const woken = this.#queue.wakeFailed();
      this.#metrics.woken(woken);
      if (woken > 0) this.#pumpSoon();
    });
  }

  /** What a repair found to be corrupt counts by itself, whatever its peer says. */
  #sayFindings({ corrupt, entry }: RepairReport): void {
    const { words } = this.#options.mesh;
    for (const share of corrupt) words.found(entry.manifest.storageIndex, share, 'a repair found it corrupt');
  }

  #fences(): ReadonlyMap<number, Fence> {
    return new Map([...this.#generations.keys()].map((partition) => [partition, this.#fenceOf(partition) as Fence]));
  }

  #fenceOf(partition: number): Fence | undefined {
    const generation = this.#generations.get(partition);
    return generation === undefined
      ? undefined
      : { scope: fenceScope(this.#options.list.topic, partition), generation };
  }

  /** Files by class; those that a lane works on count too. */
  #lengths(): Record<RepairClass, number> {
    const lengths = this.#queue.lengths();
    for (const file of this.#lanes.files()) lengths[file.repairClass]++;
    return lengths;
  }

  #emit(event: RepairerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function stopped(): MeshwardError {
  return new MeshwardError('cancelled', 'the repairer is stopping', {
    next: 'Nothing needs doing: the file is repaired when one runs again.',
  });
}

function takenAway(): MeshwardError {
  return new MeshwardError('log-fenced', 'the partition of this file has gone to another repairer', {
    next: 'Nothing needs doing: the new owner repairs it.',
  });
}
