/**
 * The topic `dead-letters`, newest first and in bounded memory: what letters say without what they hold, and the marks upon
 * those that were replayed. A mark stands behind its letter, so whoever reads backwards meets it first.
 */
import { fromBinary } from '@bufbuild/protobuf';
import type { EventLog, LogRecord } from '#log/port.ts';
import { hasCode, MeshwardError } from '#mesh/errors.ts';
import { type DeadLetter, DeadLetterSchema } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdBytes, peerIdFromBytes } from '#mesh/peer-id.ts';
import { showable } from './secrets.ts';

export type LettersLog = Pick<EventLog, 'read' | 'bounds'>;

/** A letter without its payload. */
export interface LetterSummary {
  /** Its offset in the topic, by which it is named. */
  readonly number: number;
  readonly appendedAtMs: number;
  readonly code: string;
  readonly reason: string;
  /** `gateway`, or the topic and position of the record. */
  readonly source: string;
  /** Who sent it; null where nobody proved to. */
  readonly peerId: PeerId | null;
  readonly contentType: string;
  /** Its full size; more than was kept where it was cut or withheld. */
  readonly payloadBytes: number;
  readonly keptBytes: number;
  /** The last time that it was replayed. */
  readonly replayed: ReplayMark | null;
}

export interface ReplayMark {
  readonly atMs: number;
  readonly topic: string;
  readonly records: number;
}

export interface LetterFilter {
  /** Only letters that the log took at this time or later. */
  readonly sinceMs?: number | undefined;
  readonly code?: string | undefined;
  readonly peerId?: PeerId | undefined;
}

/** The one partition that letters are written to. */
export const lettersPartition = 0;
const windowRecords = 256;
const readBytes = 1024 * 1024;
/** Marks whose letter has not been met yet. Beyond these the oldest letters show no mark, and would be replayed once more. */
const mostMarks = 100_000;
const longestShown = 500;

/** Those that fit, the newest first. */
export async function listLetters(
  log: LettersLog,
  topic: string,
  filter: LetterFilter,
  limit: number,
): Promise<readonly LetterSummary[]> {
  const found: LetterSummary[] = [];
  for await (const letter of lettersNewestFirst(log, topic)) {
    if (letter.appendedAtMs < (filter.sinceMs ?? 0) || found.length >= limit) break;
    const fits =
      (filter.code === undefined || letter.code === filter.code) &&
      (filter.peerId === undefined || letter.peerId === filter.peerId);
    if (fits) found.push(letter);
  }
  return found;
}

/** @throws MeshwardError `letter-unknown` where there is no letter of one of the numbers, or no more. */
export async function findLetters(
  log: LettersLog,
  topic: string,
  numbers: ReadonlySet<number>,
): Promise<readonly LetterSummary[]> {
  const found: LetterSummary[] = [];
  const lowest = Math.min(...numbers);
  for await (const letter of lettersNewestFirst(log, topic)) {
    if (letter.number < lowest || found.length === numbers.size) break;
    if (numbers.has(letter.number)) found.push(letter);
  }
  const missing = numbers.difference(new Set(found.map(({ number }) => number)));
  for (const number of missing) throw noLetter(number);
  return found;
}

/** The letter with its payload. @throws MeshwardError `letter-unknown`. */
export async function readLetter(log: LettersLog, topic: string, number: number): Promise<DeadLetter> {
  const records = await readFrom(log, topic, number, 1);
  const record = records.find(({ offset }) => offset === number);
  const letter = record === undefined ? null : parse(record);
  if (letter === null || letter.replay !== undefined) throw noLetter(number);
  return letter;
}

export async function* lettersNewestFirst(log: LettersLog, topic: string): AsyncGenerator<LetterSummary> {
  const marks = new Map<number, ReplayMark>();
  const bounds = (await log.bounds(topic)).find(({ partition }) => partition === lettersPartition);
  const firstOffset = bounds?.firstOffset ?? 0;
  for (let end = bounds?.nextOffset ?? 0; end > firstOffset; ) {
    const start = Math.max(firstOffset, end - windowRecords);
    const window = await readWindow(log, topic, start, end);
    for (const entry of window.reverse()) {
      if (entry.kind === 'mark') {
        if (marks.size < mostMarks && !marks.has(entry.number)) marks.set(entry.number, entry.mark);
        continue;
      }
      const replayed = marks.get(entry.letter.number) ?? null;
      marks.delete(entry.letter.number);
      yield { ...entry.letter, replayed };
    }
    end = start;
  }
}

type Entry =
  | { readonly kind: 'mark'; readonly number: number; readonly mark: ReplayMark }
  | { readonly kind: 'letter'; readonly letter: LetterSummary };

/** What stands from `start` to `end`, payloads left behind read by read. */
async function readWindow(log: LettersLog, topic: string, start: number, end: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let at = start; at < end; ) {
    const records = await readFrom(log, topic, at, readBytes);
    const last = records.at(-1);
    if (last === undefined) break;
    for (const record of records) if (record.offset < end) entries.push(entryOf(record));
    at = last.offset + 1;
  }
  return entries;
}

/** Retention may take what was there a moment ago: then what is left. */
async function readFrom(
  log: LettersLog,
  topic: string,
  offset: number,
  maxBytes: number,
): Promise<readonly LogRecord[]> {
  try {
    return await log.read(topic, lettersPartition, offset, maxBytes);
  } catch (error) {
    if (!hasCode(error, 'log-truncated')) throw error;
    const first = (await log.bounds(topic)).find(({ partition }) => partition === lettersPartition)?.firstOffset ?? 0;
    return first > offset ? log.read(topic, lettersPartition, first, maxBytes) : [];
  }
}

function entryOf(record: LogRecord): Entry {
  const letter = parse(record);
  if (letter?.replay !== undefined) {
    const { offset, topic, records } = letter.replay;
    const mark = { atMs: record.appendedAtMs, topic: shown(topic), records };
    return { kind: 'mark', number: Number(offset), mark };
  }
  return { kind: 'letter', letter: summaryOf(record, letter) };
}

function summaryOf({ offset, appendedAtMs, value }: LogRecord, letter: DeadLetter | null): LetterSummary {
  const place = { number: offset, appendedAtMs, replayed: null };
  if (letter === null) {
    const unreadable = { code: 'unreadable', reason: 'the letter itself cannot be read', source: '', contentType: '' };
    return { ...place, ...unreadable, peerId: null, payloadBytes: value?.length ?? 0, keptBytes: 0 };
  }
  return {
    ...place,
    code: shown(letter.reasonCode),
    reason: shown(letter.reason),
    source: shown(letter.source),
    peerId: letter.peerId.length === peerIdBytes ? peerIdFromBytes(letter.peerId) : null,
    contentType: shown(letter.contentType),
    payloadBytes: Number(letter.payloadBytes),
    keptBytes: letter.payload.length,
  };
}

function parse({ value }: LogRecord): DeadLetter | null {
  try {
    return value === null ? null : fromBinary(DeadLetterSchema, value);
  } catch {
    return null;
  }
}

function shown(text: string): string {
  return showable(text.slice(0, longestShown));
}

function noLetter(number: number): MeshwardError {
  return new MeshwardError('letter-unknown', `there is no dead letter ${number}`, {
    next: '`meshward dead-letters list` names those that there are; retention removes old ones (log.retentionMs).',
  });
}
