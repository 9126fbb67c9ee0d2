/** Compares what analyzers, ClickHouse and the at-risk topic say with what the oracle expects; says each difference. */
import { fromBinary } from '@bufbuild/protobuf';
import type { EventLog } from '#log/port.ts';
import { AtRiskFileSchema, DeadLetterSchema } from '#mesh/generated/events_pb.js';
import { afterRecord, generationOf, isOwnerRecord, noFence, standingOf } from '#mesh/list-fence.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { Topics } from '#mesh/topics.ts';
import type { Store } from '#store/client.ts';
import { peerId, storageIndex, text, uint8, uint64 } from '#store/row-binary/columns.ts';
import { type Oracle, placementName } from './oracle.ts';

export interface Compared {
  readonly oracle: Oracle;
  /** Every file that was registered, deleted or not. */
  readonly files: readonly StorageIndex[];
  /** Files that nobody should know, though shares of them came and went. */
  readonly strangers: readonly StorageIndex[];
  readonly store: Store;
  readonly log: EventLog;
  readonly topics: Topics;
  /** Bases of the HTTP APIs of the analyzers that run. */
  readonly analyzers: readonly string[];
}

const askedAtOnce = 32;

type Part = (compared: Compared) => Promise<readonly string[]>;

/**
 * What has to come first stands first, and what costs the most last: an analyzer that is asked for a file of another's partitions looks
 * into the store for it, and so it does for each file that nobody knows.
 */
function partsOf({ files, strangers }: Compared): readonly Part[] {
  return [
    placementDifferences,
    healthDifferences,
    ({ store }) => repeatedChanges(store),
    listDifferences,
    letterDifferences,
    ...askedTogether(files).map(
      (some): Part =>
        (compared) =>
          analyzerDifferences(compared, some),
    ),
    ...askedTogether(strangers).map(
      (some): Part =>
        (compared) =>
          strangerDifferences(compared, some),
    ),
  ];
}

function askedTogether(files: readonly StorageIndex[]): readonly (readonly StorageIndex[])[] {
  const pieces = Math.ceil(files.length / askedAtOnce);
  return Array.from({ length: pieces }, (_, i) => files.slice(i * askedAtOnce, (i + 1) * askedAtOnce));
}

export interface FirstDifferences {
  /** Of the first part that does not agree; nothing where all agree. */
  readonly found: readonly string[];
  /** Parts of the comparison that may not agree yet. */
  readonly partsLeft: number;
}

/** While agreement is waited for: who looks again and again must not be what the machine is busy with. */
export async function firstDifferences(compared: Compared): Promise<FirstDifferences> {
  const parts = partsOf(compared);
  for (const [at, part] of parts.entries()) {
    const found = await part(compared);
    if (found.length > 0) return { found, partsLeft: parts.length - at };
  }
  return { found: [], partsLeft: 0 };
}

/** @returns nothing where all agree. */
export async function allDifferences(compared: Compared): Promise<readonly string[]> {
  const found: string[] = [];
  for (const part of partsOf(compared)) found.push(...(await part(compared)));
  return found;
}

async function placementDifferences({ oracle, files, store }: Compared): Promise<string[]> {
  const columns = { storageIndex, shareNumber: uint8, peerId, state: text };
  const rows = await store.select(
    columns,
    `SELECT storage_index, share_number, toFixedString(peer_id, 32), toString(state) FROM ${store.qualified('placements')} FINAL WHERE state != 'lost'`,
  );
  const stored = new Map<StorageIndex, string[]>();
  for (const row of rows) {
    const names = stored.get(row.storageIndex) ?? [];
    names.push(placementName(row.shareNumber, row.peerId, row.state === 'corrupt'));
    stored.set(row.storageIndex, names);
  }
  return each(files, stored.keys(), (file, isKnown) => {
    const expected = isKnown ? oracle.expect(file).placements.join(' ') : '';
    const found = (stored.get(file) ?? []).sort().join(' ');
    return found === expected ? [] : [`placements in ClickHouse of ${file}: ${found} — expected ${expected}`];
  });
}

async function healthDifferences({ oracle, files, store }: Compared): Promise<string[]> {
  const rows = await store.select(
    { storageIndex, figures: text },
    `SELECT storage_index, concat(toString(grade), ' ', toString(available), ' ', toString(margin), ' ', toString(corrupt))
     FROM ${store.qualified('file_health')} FINAL WHERE NOT deleted`,
  );
  const stored = new Map(rows.map((row) => [row.storageIndex, row.figures]));
  return each(files, stored.keys(), (file, isKnown) => {
    const health = isKnown ? oracle.expect(file).health : null;
    const expected =
      health === null ? 'none' : `${health.grade} ${health.available} ${health.margin} ${health.corrupt}`;
    const found = stored.get(file) ?? 'none';
    return found === expected ? [] : [`health in ClickHouse of ${file}: ${found} — expected ${expected}`];
  });
}

/** The list as a repairer reads it: what a lost generation wrote behind the fence does not count. */
async function listDifferences({ oracle, files, log, topics }: Compared): Promise<string[]> {
  const listed = new Map<StorageIndex, number>();
  for (const { partition, firstOffset, nextOffset } of await log.bounds(topics.atRisk.name)) {
    const said = new Map<StorageIndex, { available: number | null; generation: number; offset: number }>();
    let fence = noFence;
    for (let offset = firstOffset; offset < nextOffset; ) {
      const records = await log.read(topics.atRisk.name, partition, offset, 1 << 20);
      for (const record of records) {
        fence = afterRecord(fence, record);
        if (isOwnerRecord(record)) continue;
        const generation = generationOf(record) ?? 0;
        if (standingOf(fence, generation, record.offset) === 'fenced') continue;
        const available = record.value === null ? null : fromBinary(AtRiskFileSchema, record.value).available;
        said.set(storageIndexFromBytes(record.key as Uint8Array), { available, generation, offset: record.offset });
      }
      offset = (records.at(-1)?.offset ?? nextOffset) + 1;
    }
    for (const [file, { available, generation, offset }] of said) {
      if (available !== null && standingOf(fence, generation, offset) === 'counts') listed.set(file, available);
    }
  }
  return each(files, listed.keys(), (file, isKnown) => {
    const { health, isListed } = isKnown ? oracle.expect(file) : { health: null, isListed: false };
    const expected = health !== null && isListed ? `listed with ${health.available}` : 'not listed';
    const available = listed.get(file);
    const found = available === undefined ? 'not listed' : `listed with ${available}`;
    return found === expected ? [] : [`at-risk list of ${file}: ${found} — expected ${expected}`];
  });
}

interface Told {
  readonly grade: string;
  readonly available: number;
  readonly margin: number;
  readonly onAtRiskList: boolean;
  readonly freshness: { readonly state: string; readonly reasons: readonly string[] };
}

/** Each of these files is asked for at every analyzer; one of them owns it. */
async function analyzerDifferences(
  { oracle, analyzers }: Compared,
  files: readonly StorageIndex[],
): Promise<readonly string[]> {
  const found: string[] = [];
  await Promise.all(
    files.map(async (file) => {
      const told = (await Promise.all(analyzers.map((url) => ask(url, file)))).filter((answer) => answer !== null);
      const { health, isListed } = oracle.expect(file);
      if (health === null) {
        if (told.length > 0) found.push(`analyzers know ${file}, which was deleted`);
        return;
      }
      const expected = `${health.grade} ${health.available} ${health.margin} ${isListed} fresh`;
      if (told.length === 0) found.push(`no analyzer answers for ${file} — expected ${expected}`);
      for (const { grade, available, margin, onAtRiskList, freshness } of told) {
        const said = `${grade} ${available} ${margin} ${onAtRiskList} ${freshness.state}`;
        if (said !== expected)
          found.push(`analyzer on ${file}: ${said} (${freshness.reasons.join('; ')}) — expected ${expected}`);
      }
    }),
  );
  return found;
}

async function ask(url: string, file: StorageIndex): Promise<Told | null> {
  const answer = await fetch(`${url}/v1/files/${file}`).catch(() => null);
  if (answer === null || answer.status !== 200) return null;
  return (await answer.json()) as Told;
}

async function strangerDifferences(
  { analyzers }: Compared,
  strangers: readonly StorageIndex[],
): Promise<readonly string[]> {
  const found = await Promise.all(
    strangers.flatMap((file) =>
      analyzers.map(async (url) =>
        (await ask(url, file)) === null ? [] : [`an analyzer knows ${file}, which nobody registered`],
      ),
    ),
  );
  return found.flat();
}

/** Each record that cannot be read is in the dead letters (once or, where an analyzer was killed behind it, again), and nothing else is. */
async function letterDifferences({ oracle, log, topics }: Compared): Promise<string[]> {
  const kept = new Map<string, string>();
  for (const { partition, firstOffset, nextOffset } of await log.bounds(topics.deadLetters.name)) {
    for (let offset = firstOffset; offset < nextOffset; ) {
      const records = await log.read(topics.deadLetters.name, partition, offset, 1 << 20);
      for (const { value } of records) {
        const { payload, source, reason } = fromBinary(DeadLetterSchema, value ?? new Uint8Array());
        kept.set(Buffer.from(payload).toString('hex'), `${source}: ${reason}`);
      }
      offset = (records.at(-1)?.offset ?? nextOffset) + 1;
    }
  }
  return [
    ...[...oracle.letters].filter((payload) => !kept.has(payload)).map((payload) => `no dead letter holds ${payload}`),
    ...[...kept].filter(([payload]) => !oracle.letters.has(payload)).map(([, said]) => `a dead letter of ${said}`),
  ];
}

/** Each change of a grade is there once: every row goes on from the grade that the row before it came to. */
async function repeatedChanges(store: Store): Promise<string[]> {
  const rows = await store.select(
    { file: storageIndex, broken: uint64, changes: uint64 },
    `SELECT storage_index,
       countIf(ifNull(toString(from_grade), '') != previous) AS broken, count() AS changes
     FROM (
       SELECT storage_index, from_grade, to_grade,
         lagInFrame(toString(to_grade), 1, '') OVER (PARTITION BY storage_index ORDER BY at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS previous
       FROM ${store.qualified('grade_changes')}
     ) GROUP BY storage_index HAVING broken > 0`,
  );
  return rows.map(
    ({ file, broken, changes }) => `${broken} of ${changes} changes of ${file} do not follow one another`,
  );
}

/** What is said of each file that was registered, and of each that nobody should know. */
function each(
  files: readonly StorageIndex[],
  found: Iterable<StorageIndex>,
  look: (file: StorageIndex, isKnown: boolean) => readonly string[],
): string[] {
  const known = new Set(files);
  return [...new Set([...files, ...found])].flatMap((file) => look(file, known.has(file)));
}
