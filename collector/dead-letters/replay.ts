/**
 * Replays dead letters: what can be taken now is appended again to the topic that it was meant for, in its old order, and the
 * letter is marked. A run that ends in between appends it once more the next time; effects are the same, since every batch and
 * event keeps the place in its peer's order that it had.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import type { EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { describeError, hasCode, MeshwardError } from '#mesh/errors.ts';
import { readPeerEvents, readShareEvents } from '#mesh/events/records.ts';
import { DeadLetterSchema } from '#mesh/generated/events_pb.js';
import { compareOrder } from '#mesh/incarnation.ts';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import type { Topics } from '#mesh/topics.ts';
import { EnrolmentTable } from '../gateway/enrolment-table.ts';
import { type LetterSummary, lettersPartition, readLetter } from './letters.ts';
import { checkReplay, type ReplayRecords } from './replay-checks.ts';
import { showable } from './secrets.ts';

export type ReplayLog = Pick<EventLog, 'append' | 'read' | 'bounds'>;

/** Whether what is appended changes anything: `by-order` where only the analyzer that reads it knows. */
export type ReplayEffect = 'counts' | 'by-order';

export type ReplayOutcome = { readonly number: number } & (
  | {
      readonly outcome: 'appended' | 'would-append';
      readonly topic: string;
      readonly records: number;
      readonly effect: ReplayEffect;
    }
  /** The peer has said more since, so analyzers would drop it; its next inventory tells how its shares are. */
  | { readonly outcome: 'overruled' }
  | { readonly outcome: 'refused'; readonly code: string; readonly reason: string; readonly next: string }
  | { readonly outcome: 'replayed-before'; readonly atMs: number }
);

export interface ReplayOptions {
  readonly log: ReplayLog;
  readonly topics: Topics;
  readonly clock: Clock;
  /** Only tells what it would do. */
  readonly dryRun: boolean;
  /** Letters that bear a mark too. */
  readonly again: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** How much of the log is read, in all, to see what was said after letters. */
const mostLookedAtBytes = 64 * 1024 * 1024;
const readBytes = 1024 * 1024;

/** In the order in which the letters were written. @throws what the log throws; letters before that are appended and marked. */
export async function* replayLetters(
  letters: readonly LetterSummary[],
  options: ReplayOptions,
): AsyncGenerator<ReplayOutcome> {
  const { log, topics, signal } = options;
  const enrolled = await readEnrolments(log, topics);
  const look = { leftBytes: mostLookedAtBytes };
  for (const summary of [...letters].sort((a, b) => a.number - b.number)) {
    signal?.throwIfAborted();
    const { number, replayed } = summary;
    if (replayed !== null && !options.again) {
      yield { number, outcome: 'replayed-before', atMs: replayed.atMs };
      continue;
    }
    yield await replayOne(number, enrolled, look, options);
  }
}

async function replayOne(
  number: number,
  enrolled: EnrolmentTable,
  look: { leftBytes: number },
  { log, topics, clock, dryRun }: ReplayOptions,
): Promise<ReplayOutcome> {
  let checked: ReplayRecords;
  try {
    checked = checkReplay(await readLetter(log, topics.deadLetters.name, number), number, topics, enrolled);
  } catch (error) {
    if (!(error instanceof MeshwardError) || error.retryable) throw error;
    return { number, outcome: 'refused', code: error.code, reason: showable(describeError(error)), next: error.next };
  }
  const place = await placeOf(log, topics, checked, look);
  const records = place === 'overruled' ? checked.othersRecords : [...checked.records, ...checked.othersRecords];
  if (records.length === 0) return { number, outcome: 'overruled' };
  const summary = {
    number,
    topic: checked.topic,
    records: records.length,
    effect: place === 'unknown' ? 'by-order' : 'counts',
  } as const;
  if (dryRun) return { ...summary, outcome: 'would-append' };
  await log.append(checked.topic, records);
  await log.append(topics.deadLetters.name, [markOf(number, checked, records.length, topics, clock)]);
  return { ...summary, outcome: 'appended' };
}

function markOf(number: number, { topic, said }: ReplayRecords, records: number, topics: Topics, clock: Clock) {
  const mark = create(DeadLetterSchema, {
    reasonCode: 'replayed',
    reason: `letter ${number} was appended again to ${topic}`,
    source: `${topics.deadLetters.name}/${lettersPartition}@${number}`,
    peerId: said === null ? new Uint8Array() : peerIdToBytes(said.peerId),
    atMs: BigInt(Math.round(clock.nowMs())),
    replay: { partition: lettersPartition, offset: BigInt(number), topic, records },
  });
  return { partition: lettersPartition, key: null, value: toBinary(DeadLetterSchema, mark) };
}

/** Looks at the record's own place and what came after it: a word of the same peer that was taken there overrules it. */
async function placeOf(
  log: ReplayLog,
  topics: Topics,
  { said, position, topic, value }: ReplayRecords,
  look: { leftBytes: number },
): Promise<'newest' | 'overruled' | 'unknown'> {
  if (said === null) return 'newest';
  if (position === null) return 'unknown';
  const key = peerIdToBytes(said.peerId);
  const read = topic === topics.shareEvents.name ? readShareEvents : readPeerEvents;
  for (let at = position.offset; look.leftBytes > 0; ) {
    const records = await log.read(topic, position.partition, at, readBytes).catch((error: unknown) => {
      if (hasCode(error, 'log-truncated')) return null;
      throw error;
    });
    if (records === null) return 'unknown';
    const last = records.at(-1);
    if (last === undefined) return 'newest';
    for (const record of records) {
      look.leftBytes -= record.value?.length ?? 0;
      if (record.key === null || record.value === null || Buffer.compare(record.key, key) !== 0) continue;
      // The record itself was not taken, unless the letter holds but a part of it.
      if (record.offset === position.offset && Buffer.compare(record.value, value) === 0) continue;
      const order = orderIn(record.value, read);
      if (order !== null && compareOrder(order, said.order) >= 0) return 'overruled';
    }
    at = last.offset + 1;
  }
  return 'unknown';
}

function orderIn(value: Uint8Array, read: typeof readShareEvents | typeof readPeerEvents) {
  try {
    const each = read(value);
    if (each.kind === 'batch') return each.batch;
    return each.kind === 'event' ? each : null;
  } catch {
    return null;
  }
}

/** Who may speak, as the topic has it now. */
export async function readEnrolments(log: Pick<EventLog, 'read' | 'bounds'>, topics: Topics): Promise<EnrolmentTable> {
  const table = new EnrolmentTable();
  const bounds = (await log.bounds(topics.enrolments.name))[0];
  for (let at = bounds?.firstOffset ?? 0; at < (bounds?.nextOffset ?? 0); ) {
    const records = await log.read(topics.enrolments.name, 0, at, readBytes);
    const last = records.at(-1);
    if (last === undefined) break;
    for (const record of records) table.apply(record);
    at = last.offset + 1;
  }
  return table;
}
