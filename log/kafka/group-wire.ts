/**
 * What members say to their leader and it to them, in the envelopes that Kafka's own tools read: topics of a member and
 * partitions assigned to it show in kafka-consumer-groups. What is ours goes as JSON into their `user_data`:
 *
 *   Subscription => version i16 (0), [topic string], user_data bytes
 *   Assignment   => version i16 (0), [topic string, [partition i32]], user_data bytes
 *
 * and into the metadata of a commit: `{"base":…}`, with `"none":true` where nothing was dealt with yet and the offset, 0,
 * means nothing: the base must outlast a group that never committed anything.
 */
import type { HeldUnder } from '../shared/member.ts';
import type { GroupMember } from './group-plan.ts';
import { int16, int32, string } from './wire-values.ts';

/** Members of another version of this would not understand us, and Kafka keeps them out by this name. */
export const groupProtocol = { type: 'consumer', name: 'meshward-1' } as const;

/** Topics with partition and generation, in short: [[topic, [[partition, generation], …]], …]. */
type HeldText = readonly (readonly [string, readonly (readonly [number, number])[]])[];

interface SubscriptionText {
  readonly topics: readonly (readonly [string, number])[];
  readonly claims: HeldText;
  readonly base: number;
  /** Makes each one differ: a coordinator begins no round for a member that says the same again. */
  readonly turn: number;
}

export function encodeSubscription(member: Omit<GroupMember, 'id'>, turn: number): Buffer {
  const text: SubscriptionText = {
    topics: member.topics.map(({ name, partitions }) => [name, partitions]),
    claims: heldText(member.claims),
    base: member.base,
    turn,
  };
  const topics = member.topics.map(({ name }) => string(name));
  return Buffer.concat([int16(0), int32(topics.length), ...topics, json(text)]);
}

/** A member that cannot be understood wants nothing and has nothing. */
export function decodeSubscription(id: string, bytes: Buffer): GroupMember {
  try {
    const reader = { at: 2 };
    for (let left = readInt32(bytes, reader); left > 0; left--) readString(bytes, reader);
    const text = readJson(bytes, reader) as SubscriptionText;
    const topics = text.topics.map(([name, partitions]) => ({ name, partitions }));
    return { id, topics, claims: heldOf(text.claims), base: text.base };
  } catch {
    return { id, topics: [], claims: [], base: 0 };
  }
}

export interface Assigned {
  readonly base: number;
  readonly partitions: readonly HeldUnder[];
}

export function encodeAssignment({ base, partitions }: Assigned): Buffer {
  const topics = Map.groupBy(partitions, ({ topic }) => topic);
  const parts = [int16(0), int32(topics.size)];
  for (const [topic, held] of topics) {
    parts.push(string(topic), int32(held.length), ...held.map(({ partition }) => int32(partition)));
  }
  return Buffer.concat([...parts, json({ base, held: heldText(partitions) })]);
}

/** @throws where it is not ours. */
export function decodeAssignment(bytes: Buffer): Assigned {
  // A leader that left out a member gives it nothing at all.
  if (bytes.length === 0) return { base: 0, partitions: [] };
  const reader = { at: 2 };
  for (let left = readInt32(bytes, reader); left > 0; left--) {
    readString(bytes, reader);
    const partitions = readInt32(bytes, reader);
    reader.at += 4 * partitions;
  }
  const text = readJson(bytes, reader) as { readonly base: number; readonly held: HeldText };
  return { base: text.base, partitions: heldOf(text.held) };
}

export interface CommitNote {
  readonly base: number;
  /** Nothing was dealt with yet: the offset beside it means nothing. */
  readonly none?: true;
}

export function encodeCommitNote(note: CommitNote): string {
  return JSON.stringify(note);
}

/** Base 0 where the commit is not ours: of an operator who set offsets, say. */
export function decodeCommitNote(metadata: string | null): CommitNote {
  try {
    const note = JSON.parse(metadata ?? '') as Partial<CommitNote>;
    const base = Number.isSafeInteger(note.base) ? (note.base as number) : 0;
    return note.none === true ? { base, none: true } : { base };
  } catch {
    return { base: 0 };
  }
}

function heldText(held: readonly HeldUnder[]): HeldText {
  return [...Map.groupBy(held, ({ topic }) => topic)].map(([topic, ofTopic]) => [
    topic,
    ofTopic.map(({ partition, generation }) => [partition, generation] as const),
  ]);
}

function heldOf(text: HeldText): HeldUnder[] {
  return text.flatMap(([topic, held]) => held.map(([partition, generation]) => ({ topic, partition, generation })));
}

function json(value: unknown): Buffer {
  const bytes = Buffer.from(JSON.stringify(value));
  return Buffer.concat([int32(bytes.length), bytes]);
}

function readInt32(bytes: Buffer, reader: { at: number }): number {
  reader.at += 4;
  return bytes.readInt32BE(reader.at - 4);
}

function readString(bytes: Buffer, reader: { at: number }): string {
  const start = reader.at + 2;
  reader.at = start + bytes.readInt16BE(start - 2);
  return bytes.toString('utf8', start, reader.at);
}

function readJson(bytes: Buffer, reader: { at: number }): unknown {
  const length = readInt32(bytes, reader);
  return JSON.parse(bytes.toString('utf8', reader.at, reader.at + length));
}
