/** Follows peer-events and enrolments, and keeps what is known of every peer. */
import { fromBinary } from '@bufbuild/protobuf';
import type { Following, LogRecord } from '#collector/log/port.ts';
import { EnrolmentSchema } from '#mesh/generated/events_pb.js';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { keepDeadLetter } from './dead-letter.ts';
import { LogTime } from './liveness/log-time.ts';
import type { LivenessRules } from './liveness/peer-liveness.ts';
import { PeerRegister } from './liveness/peer-register.ts';
import { type AnalyzerOptions, maxTickStepMs } from './options.ts';
import type { StoredLiveness } from './ports.ts';
import type { PeerTable } from './share-map/peer-table.ts';
import { readPeerEvents } from './wire.ts';

const outageMemoryHalfLifeMs = 24 * 3_600_000;

export class PeersFollower {
  readonly register: PeerRegister;
  readonly time: LogTime;
  readonly #options: AnalyzerOptions;
  readonly #storedOffsets: readonly number[] | null;
  readonly #followings: Following[] = [];
  #offsets: number[] = [];

  constructor(options: AnalyzerOptions, table: PeerTable, stored: StoredLiveness) {
    this.#options = options;
    this.#storedOffsets = stored.offsets;
    this.time = new LogTime(maxTickStepMs(options.config), stored);
    this.register = new PeerRegister(rulesOf(options), this.time, table, stored.lives);
  }

  /** Resolves once everything that was in the log at the call is known. @param failed told when following ends for good. */
  async start(failed: (error: unknown) => void): Promise<void> {
    const { log, topics } = this.#options;
    await this.#follow(
      log.follow([topics.enrolments.name], 'first', (_topic, _partition, records) => this.#applyEnrolments(records)),
      failed,
    );
    this.#offsets = await this.#startOffsets();
    const from = new Map([[topics.peerEvents.name, [...this.#offsets]]]);
    await this.#follow(
      log.follow([topics.peerEvents.name], from, (_topic, partition, records) =>
        this.#applyPeerEvents(partition, records),
      ),
      failed,
    );
  }

  async stop(): Promise<void> {
    for (const following of this.#followings) await following.close();
  }

  /** What must be stored so that another start goes on from here. */
  snapshot(): StoredLiveness {
    return {
      offsets: [...this.#offsets],
      watermarkMs: this.time.watermarkMs,
      elapsedMs: this.time.elapsedMs,
      lives: new Map(this.register.lives()),
    };
  }

  async #follow(opening: Promise<Following>, failed: (error: unknown) => void): Promise<void> {
    const following = await opening;
    this.#followings.push(following);
    following.ended.catch(failed);
    await Promise.race([following.caughtUp, following.ended]);
  }

  async #startOffsets(): Promise<number[]> {
    const { log, topics, logger } = this.#options;
    const bounds = await log.bounds(topics.peerEvents.name);
    return bounds.map(({ partition, firstOffset, nextOffset }) => {
      const from = this.#storedOffsets?.[partition] ?? firstOffset;
      if (from >= firstOffset && from <= nextOffset) return from;
      logger.warn(
        { partition, from, firstOffset, nextOffset },
        'peer events were removed before they were read; peers are judged anew from what is kept',
      );
      return firstOffset;
    });
  }

  async #applyPeerEvents(partition: number, records: readonly LogRecord[]): Promise<void> {
    await this.#each(records, (value) => this.register.apply(readPeerEvents(value)));
    const last = records.at(-1);
    if (last !== undefined) this.#offsets[partition] = last.offset + 1;
  }

  async #applyEnrolments(records: readonly LogRecord[]): Promise<void> {
    await this.#each(records, (value) => {
      const { body } = fromBinary(EnrolmentSchema, value);
      if (body.case !== 'peer') return;
      const { peerId, name, domains, revoked, capacityBytes } = body.value;
      this.register.enrolled(peerIdFromBytes(peerId), { name, domains, revoked, capacityBytes: Number(capacityBytes) });
    });
  }

  async #each(records: readonly LogRecord[], apply: (value: Uint8Array) => void): Promise<void> {
    for (const record of records) {
      if (record.value === null) continue;
      try {
        apply(record.value);
      } catch (error) {
        await keepDeadLetter(this.#options, record, error);
      }
    }
  }
}

function rulesOf({ config }: AnalyzerOptions): LivenessRules {
  const { suspectAfterHeartbeats, graceMs, graceMaxMs, departAfterMs } = config.analyzer;
  return {
    suspectAfterHeartbeats,
    defaultHeartbeatMs: config.agent.heartbeatMs,
    graceMs,
    graceMaxMs,
    departAfterMs,
    memoryHalfLifeMs: outageMemoryHalfLifeMs,
  };
}
