/**
 * The states of every peer, followed from the log itself: `enrolments` and `peer-events`, judged by the same functions as the
 * analyzer judges them. It goes on from the lives that an analyzer stored; without any, from what the log still has.
 */

import { fromBinary } from '@bufbuild/protobuf';
import type { EventLog, Following, LogRecord } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { readPeerEvents } from '#mesh/events/records.ts';
import { EnrolmentSchema } from '#mesh/generated/events_pb.js';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { enrolmentFactsOf } from './liveness/enrolment-facts.ts';
import { LogTime } from './liveness/log-time.ts';
import type { LivenessRules } from './liveness/peer-liveness.ts';
import { type PeerFacts, PeerRegister } from './liveness/peer-register.ts';
import { nothingStored, type StoredLiveness } from './liveness/stored-lives.ts';

export interface PeerStatesOptions {
  readonly log: Pick<EventLog, 'follow' | 'bounds'>;
  /** Names of the topics. */
  readonly topics: { readonly enrolments: string; readonly peerEvents: string };
  readonly rules: LivenessRules;
  /** Longest step of log time. */
  readonly maxTickStepMs: number;
  readonly stored: StoredLiveness;
  readonly clock: Clock;
  /** Told of records that are not usable or were removed before they were read; peers are judged by what there is. */
  readonly onUnusable: (reason: string) => void;
}

export interface FollowedPeers {
  facts(): readonly PeerFacts[];
  /**
   * How long the log's time has stood still, by our own clock, in the partition where it has for the longest: while it does
   * nobody falls silent, and what is held of the peers grows old. Infinite where there never was a tick.
   */
  ageMs(): number;
  /** Rejects when the log can no longer be followed; resolves when closed. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** Resolves once everything that was in the log at the call is known. */
export async function followPeers(options: PeerStatesOptions): Promise<FollowedPeers> {
  const { log, topics } = options;
  const bounds = await log.bounds(topics.peerEvents);
  // Lives that reach beyond the end were stored of another log, and say nothing about this one.
  const isOfThisLog = bounds.every(
    ({ partition, nextOffset }) => (options.stored.marks[partition]?.nextOffset ?? 0) <= nextOffset,
  );
  const stored = isOfThisLog ? options.stored : nothingStored;
  const states = new PeerStates({ ...options, stored }, bounds.length);
  const enrolments = await log.follow([topics.enrolments], 'first', (_topic, _partition, records) =>
    states.applyEnrolments(records),
  );
  await enrolments.caughtUp;
  let events: Following;
  try {
    const starts = bounds.map(({ partition, firstOffset }) =>
      Math.max(stored.marks[partition]?.nextOffset ?? firstOffset, firstOffset),
    );
    events = await log.follow(
      [topics.peerEvents],
      new Map([[topics.peerEvents, starts]]),
      (_topic, partition, records) => states.applyEvents(partition, records),
      {
        truncated: (_topic, partition, fromOffset, firstOffset) => {
          options.onUnusable(
            `peer events ${fromOffset} to ${firstOffset - 1} of partition ${partition} were removed before they were read`,
          );
          return Promise.resolve();
        },
        // The log counts them, and the analyzer keeps them as dead letters.
        unreadable: () => Promise.resolve(),
      },
    );
    await events.caughtUp;
  } catch (error) {
    await enrolments.close();
    throw error;
  }
  states.caughtUp();
  const ended = Promise.all([enrolments.ended, events.ended]).then(() => undefined);
  ended.catch(() => undefined);
  return {
    facts: () => states.register.facts(),
    ageMs: () => states.ageMs(),
    ended,
    async close() {
      await Promise.all([enrolments.close(), events.close()]);
    },
  };
}

/** Facts are asked for and not pushed: nobody looks at each change. */
const nobody = { setState: () => undefined, setDomains: () => undefined };

class PeerStates {
  readonly register: PeerRegister;
  readonly #options: PeerStatesOptions;
  readonly #times: readonly LogTime[];
  /** When the time of each partition went on last, by our monotonic clock. */
  readonly #wentOnAtMs: number[];

  constructor(options: PeerStatesOptions, partitions: number) {
    this.#options = options;
    const { rules, stored, maxTickStepMs } = options;
    this.#times = Array.from(
      { length: partitions },
      (_, partition) => new LogTime(maxTickStepMs, stored.marks[partition]),
    );
    this.#wentOnAtMs = this.#times.map(() => Number.NEGATIVE_INFINITY);
    this.register = new PeerRegister({ rules, times: this.#times, table: nobody, resumed: stored.lives });
  }

  /** What was read up to here may have been in the log for long: its age is that of the newest tick. */
  caughtUp(): void {
    const { clock } = this.#options;
    for (const [partition, time] of this.#times.entries())
      this.#wentOnAtMs[partition] = clock.monotonicMs() - time.ageMs(clock.nowMs());
  }

  ageMs(): number {
    return this.#options.clock.monotonicMs() - Math.min(...this.#wentOnAtMs);
  }

  applyEvents(partition: number, records: readonly LogRecord[]): Promise<void> {
    const { clock } = this.#options;
    const time = this.#times[partition] as LogTime;
    const before = time.watermarkMs;
    const readAtMs = clock.nowMs();
    this.#each(records, ({ offset }, value) => {
      const read = readPeerEvents(value);
      if (read.kind !== 'report') this.register.apply(read, { partition, offset, readAtMs });
    });
    if (time.watermarkMs > before) this.#wentOnAtMs[partition] = clock.monotonicMs();
    this.#forgetChanges();
    return Promise.resolve();
  }

  applyEnrolments(records: readonly LogRecord[]): Promise<void> {
    this.#each(records, (_record, value) => {
      const { body } = fromBinary(EnrolmentSchema, value);
      if (body.case !== 'peer') return;
      this.register.enrolled(peerIdFromBytes(body.value.peerId), enrolmentFactsOf(body.value));
    });
    this.#forgetChanges();
    return Promise.resolve();
  }

  /** Changes are for whoever stores them. */
  #forgetChanges(): void {
    this.register.takeChanged();
    this.register.takeChanges();
  }

  #each(records: readonly LogRecord[], apply: (record: LogRecord, value: Uint8Array) => void): void {
    for (const record of records) {
      if (record.value === null) continue;
      try {
        apply(record, record.value);
      } catch (error) {
        // The analyzer keeps it as a dead letter.
        this.#options.onUnusable(
          `the record ${record.topic}/${record.partition}/${record.offset} is not usable: ${describeError(error)}`,
        );
      }
    }
  }
}
