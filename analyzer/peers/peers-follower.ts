/** Follows peer-events and enrolments, and keeps what is known of every peer. */

import { fromBinary } from '@bufbuild/protobuf';
import { type Following, type FollowOptions, type LogRecord, type UnreadableBatch } from '#log/port.ts';
import { readPeerEvents } from '#mesh/events/records.ts';
import { EnrolmentSchema } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import { enrolmentFactsOf } from '#peers/liveness/enrolment-facts.ts';
import { LogTime } from '#peers/liveness/log-time.ts';
import type { PeerLife } from '#peers/liveness/peer-liveness.ts';
import { type PeerFacts, PeerRegister } from '#peers/liveness/peer-register.ts';
import { livenessRules, maxTickStepMs } from '#peers/liveness/rules.ts';
import type { LivenessMark, StoredLiveness } from '#peers/liveness/stored-lives.ts';
import { asRecord, keepDeadLetter } from '../files/dead-letter.ts';
import { anotherLog } from '../files/partition/rebuild.ts';
import type { PeerTable } from '../files/share-map/peer-table.ts';
import { type Report, readReport } from '../mesh/report.ts';
import type { AnalyzerOptions } from '../options.ts';
import { VersionWatch } from './version-spread.ts';

/** Least time between two looks at the releases of agents. */
const versionsEveryMs = 10_000;

/** What changed of peers and belongs into the store. */
export interface PeerChanges {
  readonly liveness: StoredLiveness;
  readonly facts: readonly PeerFacts[];
}

/** Told of what analyzers say of their partitions, this one too. */
export interface ReportReader {
  /** @param heardMs elapsed log time of the partition that it stands in. */
  note(report: Report, heardMs: number): void;
}

export class PeersFollower {
  readonly register: PeerRegister;
  /** One for each partition of peer-events; none before the start. */
  readonly times: readonly LogTime[];
  /** Records that were not read: retention took them, or nobody can read them. */
  truncatedRecords = 0;
  readonly #options: AnalyzerOptions;
  readonly #reports: ReportReader;
  readonly #times: LogTime[] = [];
  #marks: readonly (LivenessMark | undefined)[] = [];
  readonly #followings: Following[] = [];
  readonly #versions = new VersionWatch();
  #offsets: number[] = [];
  #versionsChanged = false;
  #nextVersionsMs = Number.NEGATIVE_INFINITY;

  constructor(options: AnalyzerOptions, table: PeerTable, reports: ReportReader) {
    this.#options = options;
    this.#reports = reports;
    this.times = this.#times;
    this.register = new PeerRegister({ rules: livenessRules(options.config), times: this.times, table });
  }

  /** What an earlier run knew, before anything of the log is read. */
  resume(stored: StoredLiveness): void {
    const { topics, config } = this.#options;
    this.#marks = Array.from({ length: topics.peerEvents.partitions }, (_, partition) => stored.marks[partition]);
    this.#times.push(...this.#marks.map((mark) => new LogTime(maxTickStepMs(config), mark)));
    this.register.resume(stored.lives);
  }

  /** Resolves once everything that was in the log at the call is known. @param failed told when following ends for good. */
  async start(failed: (error: unknown) => void): Promise<void> {
    const { log, topics } = this.#options;
    await this.#follow(
      log.follow([topics.enrolments.name], 'first', (_topic, _partition, records) => this.#applyEnrolments(records), {
        unreadable: (batch) => this.#keep(asRecord(batch), batch.error),
      }),
      failed,
    );
    // Enrolments as they stand are no news: whoever is revoked was so before.
    this.register.takeChanges();
    this.#offsets = await this.#startOffsets();
    const from = new Map([[topics.peerEvents.name, [...this.#offsets]]]);
    const options: FollowOptions = {
      truncated: (_topic, partition, fromOffset, firstOffset) => this.#truncated(partition, fromOffset, firstOffset),
      unreadable: (batch) => this.#unreadable(batch),
    };
    await this.#follow(
      log.follow(
        [topics.peerEvents.name],
        from,
        (_topic, partition, records) => this.#applyPeerEvents(partition, records),
        options,
      ),
      failed,
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#followings.map((following) => following.close()));
  }

  /** What must be stored since the last call, so that another start goes on from here. */
  takeChanges(): PeerChanges {
    const lives = new Map<PeerId, PeerLife>();
    const facts: PeerFacts[] = [];
    for (const peer of this.register.takeChanged()) {
      const known = this.register.find(peer);
      if (known === undefined) continue;
      lives.set(peer, known.life);
      facts.push(known);
    }
    const marks = this.times.map(({ watermarkMs, elapsedMs }, partition) => {
      return { nextOffset: this.#offsets[partition] ?? 0, watermarkMs, elapsedMs };
    });
    return { liveness: { marks, lives }, facts };
  }

  async #follow(opening: Promise<Following>, failed: (error: unknown) => void): Promise<void> {
    const following = await opening;
    this.#followings.push(following);
    following.ended.catch(failed);
    await Promise.race([following.caughtUp, following.ended]);
  }

  async #startOffsets(): Promise<number[]> {
    const { log, topics } = this.#options;
    const bounds = await log.bounds(topics.peerEvents.name);
    return bounds.map(({ partition, firstOffset, nextOffset }) => {
      const from = this.#marks[partition]?.nextOffset ?? firstOffset;
      if (from < firstOffset) {
        this.#countTruncated(partition, from, firstOffset);
        return firstOffset;
      }
      if (from <= nextOffset) return from;
      throw anotherLog(topics.peerEvents.name, partition, from, nextOffset);
    });
  }

  #truncated(partition: number, fromOffset: number, firstOffset: number): Promise<void> {
    this.#countTruncated(partition, fromOffset, firstOffset);
    this.#offsets[partition] = Math.max(this.#offsets[partition] ?? 0, firstOffset);
    return Promise.resolve();
  }

  async #unreadable(batch: UnreadableBatch): Promise<void> {
    const { partition, offset, nextOffset } = batch;
    await this.#keep(asRecord(batch), batch.error);
    await this.#truncated(partition, Math.max(offset, this.#offsets[partition] ?? 0), nextOffset);
  }

  #countTruncated(partition: number, fromOffset: number, firstOffset: number): void {
    const { logger, metrics } = this.#options;
    const records = firstOffset - fromOffset;
    this.truncatedRecords += records;
    metrics.truncatedEvents.add(records);
    logger.error(
      { partition, fromOffset, firstOffset },
      'peer events of the log were not read: retention took them, or nobody can; peers are judged by the others',
    );
  }

  async #applyPeerEvents(partition: number, records: readonly LogRecord[]): Promise<void> {
    const readAtMs = this.#options.clock.nowMs();
    await this.#each(records, ({ offset }, value) => {
      const read = readPeerEvents(value);
      if (read.kind === 'report') this.#reports.note(readReport(read.report), this.#times[partition]?.elapsedMs ?? 0);
      else this.register.apply(read, { partition, offset, readAtMs });
      if (read.kind === 'event' && read.body.kind === 'announce') this.#versionsChanged = true;
    });
    this.#lookAtVersions();
    const last = records.at(-1);
    if (last !== undefined) this.#offsets[partition] = last.offset + 1;
  }

  /** When a mesh is updated all its peers announce themselves: they are looked at together, now and then. */
  #lookAtVersions(): void {
    const { clock, logger } = this.#options;
    const now = clock.monotonicMs();
    if (!this.#versionsChanged || now < this.#nextVersionsMs) return;
    this.#versionsChanged = false;
    this.#nextVersionsMs = now + versionsEveryMs;
    const versions = this.#versions.look(this.register.facts());
    if (versions === null) return;
    logger.warn(
      { versions: Object.fromEntries(versions) },
      'agents are of several releases: update those that lag behind',
    );
  }

  async #applyEnrolments(records: readonly LogRecord[]): Promise<void> {
    await this.#each(records, (_record, value) => {
      const { body } = fromBinary(EnrolmentSchema, value);
      if (body.case !== 'peer') return;
      this.register.enrolled(peerIdFromBytes(body.value.peerId), enrolmentFactsOf(body.value));
    });
  }

  async #each(records: readonly LogRecord[], apply: (record: LogRecord, value: Uint8Array) => void): Promise<void> {
    for (const record of records) {
      if (record.value === null) continue;
      try {
        apply(record, record.value);
      } catch (error) {
        await this.#keep(record, error);
      }
    }
  }

  /** An enrolment holds the secret that its peer shares with repairers: its bytes go nowhere. */
  #keep(record: LogRecord, error: unknown): Promise<void> {
    const payload = record.topic === this.#options.topics.enrolments.name ? 'withheld' : 'kept';
    return keepDeadLetter(this.#options, record, error, payload);
  }
}
