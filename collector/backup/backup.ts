/**
 * What only the log knows, in a file of lines: who is enrolled, what people said of alerts, and campaigns with their calendars and limits.
 * All else is found again: shares by inventories, history in the database. The first line says what it is, the last one holds the SHA-256 of all before
 * it, so that half a file is told from a whole one. It holds secrets (where shares are served), and no key of anybody.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AppendRecord, EventLog, LogRecord } from '#log/port.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Topic, Topics } from '#mesh/topics.ts';
import { baseOffsetHeader } from '../gateway/enrolment-records.ts';

/** Tables of one partition each, whose records mean the same in another log. */
export const keptTopics = ['enrolments', 'alerts', 'campaigns'] as const;
export type KeptTopic = (typeof keptTopics)[number];

const bytes = z.base64().nullable();
const firstLine = z.object({ kind: z.literal('meshward-backup'), version: z.literal(1), createdAtMs: z.number() });
const recordLine = z.object({
  topic: z.enum(keptTopics),
  offset: z.number().int().min(0),
  key: bytes,
  value: bytes,
  headers: z.record(z.string(), z.string()),
});
type KeptRecord = z.infer<typeof recordLine>;
const lastLine = z.object({ sha256: z.string() });

/** Ten thousand peers are 10 MB; more than this is no backup of a mesh. */
export const maxBackupBytes = 1024 * 1024 * 1024;
const readBytes = 1024 * 1024;
const appendRecords = 500;

type ReadLog = Pick<EventLog, 'read' | 'bounds'>;

/** Every line with its end. */
export async function* backupLines(log: ReadLog, topics: Topics, nowMs: number): AsyncGenerator<string> {
  const sum = createHash('sha256');
  const line = (value: object): string => {
    const text = `${JSON.stringify(value)}\n`;
    sum.update(text);
    return text;
  };
  yield line({ kind: 'meshward-backup', version: 1, createdAtMs: nowMs });
  for (const word of keptTopics) {
    for await (const { offset, key, value, headers } of recordsOf(log, topics[word])) {
      yield line({ topic: word, offset, key: textOf(key), value: textOf(value), headers });
    }
  }
  yield `${JSON.stringify({ sha256: sum.digest('hex') })}\n`;
}

async function* recordsOf(log: ReadLog, { name }: Topic): AsyncGenerator<LogRecord> {
  const [bounds] = await log.bounds(name);
  const end = bounds?.nextOffset ?? 0;
  for (let offset = bounds?.firstOffset ?? 0; offset < end; ) {
    const records = await log.read(name, 0, offset, readBytes);
    if (records.length === 0) return;
    yield* records;
    offset = (records.at(-1) as LogRecord).offset + 1;
  }
}

export interface Backup {
  readonly createdAtMs: number;
  readonly records: readonly KeptRecord[];
}

/** @throws MeshwardError `bad-input` for what is no whole backup: nothing was changed by then. */
export function parseBackup(text: string): Backup {
  const damaged = (reason: string): MeshwardError =>
    new MeshwardError('bad-input', `this is no whole backup: ${reason}`, {
      next: 'Use another copy of it, or an earlier one.',
    });
  const end = text.lastIndexOf('\n', text.length - 2) + 1;
  const body = text.slice(0, end);
  const sum = read(lastLine, text.slice(end));
  if (sum === null) throw damaged('its last line is missing');
  if (createHash('sha256').update(body).digest('hex') !== sum.sha256) throw damaged('its checksum does not fit');
  const [first = '', ...lines] = body.split('\n').slice(0, -1);
  const head = read(firstLine, first);
  if (head === null) throw damaged('it was not written by this command, or by a later version of it');
  const records = lines.map((line) => {
    const record = read(recordLine, line);
    if (record === null) throw damaged('it holds a line of another kind');
    return record;
  });
  return { createdAtMs: head.createdAtMs, records };
}

export type RestoredCounts = Readonly<Record<KeptTopic, number>>;

/**
 * Appends what the backup holds. Into empty topics, unless `isOver`: then what is restored is said after what stands there, and counts.
 * @throws MeshwardError `bad-input` where a topic holds records already.
 */
export async function restoreBackup(
  log: Pick<EventLog, 'append' | 'bounds'>,
  topics: Topics,
  { records }: Backup,
  isOver: boolean,
): Promise<RestoredCounts> {
  const starts = new Map<KeptTopic, number>();
  for (const word of keptTopics) {
    const [bounds] = await log.bounds(topics[word].name);
    const { firstOffset = 0, nextOffset = 0 } = bounds ?? {};
    starts.set(word, nextOffset);
    if (nextOffset === firstOffset || isOver) continue;
    throw new MeshwardError('bad-input', `${topics[word].name} holds records already`, {
      next: 'Restore into a new log before a collector has run on it; or say --over, so that what is restored counts over what stands there.',
    });
  }
  const counts = { enrolments: 0, alerts: 0, campaigns: 0 };
  for (const word of keptTopics) {
    const own = records.filter(({ topic }) => topic === word);
    const moved = movedTo(own, starts.get(word) ?? 0);
    for (let at = 0; at < moved.length; at += appendRecords) {
      const part = moved.slice(at, at + appendRecords);
      await log.append(topics[word].name, part);
      counts[word] += part.length;
    }
  }
  return counts;
}

/** A peer's entry names the offset of the one that it was made from: in the other log that is another. */
function movedTo(records: readonly KeptRecord[], start: number): AppendRecord[] {
  return records.map(({ key, value, headers }) => {
    const { [baseOffsetHeader]: base, ...others } = headers;
    const before = base === undefined ? -1 : records.findLastIndex(({ offset }) => offset <= Number(base));
    return {
      partition: 0,
      key: bytesOf(key),
      value: bytesOf(value),
      headers:
        base === undefined ? others : { ...others, [baseOffsetHeader]: String(before < 0 ? -1 : start + before) },
    };
  });
}

function read<T extends z.ZodType>(schema: T, line: string): z.infer<T> | null {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function textOf(value: Uint8Array | null): string | null {
  return value === null ? null : Buffer.from(value).toString('base64');
}

function bytesOf(text: string | null): Uint8Array | null {
  return text === null ? null : new Uint8Array(Buffer.from(text, 'base64'));
}
