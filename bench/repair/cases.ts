/** Which repairs are measured, and how the words after the bench's name choose among them. */
import { parseArgs } from 'node:util';
import type { Coding } from '#mesh/coding.ts';
import { loadConfig } from '#mesh/config/load.ts';

export interface RepairCase {
  readonly coding: Coding;
  readonly sizeBytes: number;
  readonly peers: number;
  readonly atOnce: number;
  readonly missing: 'half' | 'all-but-k';
  /** Whether our peers have a share on the disk before they acknowledge it. Tahoe's nodes never do. */
  readonly syncToDisk: boolean;
  readonly files: number;
}

export interface RepairBenchOptions {
  readonly cases: readonly RepairCase[];
  readonly rounds: number;
  readonly tahoe: boolean;
  /** Takes one more round, profiled, to tell where its time went. */
  readonly breakdown: boolean;
  /** A folder for profiles of one more round. */
  readonly profile: string | undefined;
}

export const usage = `words: --code K/N  --size 10KB|1MB|10MB|1GB  --peers N  --at-once N  --missing half|all-but-k  --files N
       --rounds N  --no-tahoe  --no-sync  --breakdown  --profile DIR  --large (adds a file of 1 GB)
Whatever is named of a case is measured alone, and several with commas in turn: --peers 12,40; without any, the usual ones are.
--breakdown takes one more round under profiles and tells where its time went: a file's wall time, what it waited for, and the processor
time of repairer and peers by subject. The other figures are of the rounds before. bench/breakdown/README.md says what each number means.`;

const [wide, narrow]: [Coding, Coding] = [
  { k: 25, n: 100 },
  { k: 3, n: 10 },
];
const [small, middle, large, huge] = [10_000, 1_000_000, 10_000_000, 1_000_000_000];
/** What eight lanes of a repairer do as it is configured. */
const smallAtOnce = 8 * loadConfig({ flags: {} }).config.repairer.smallRepairsPerLane;

export function optionsOf(words: readonly string[]): RepairBenchOptions {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      code: text,
      size: text,
      peers: text,
      'at-once': text,
      missing: text,
      files: text,
      rounds: text,
      profile: text,
      breakdown: flag,
      'no-tahoe': flag,
      'no-sync': flag,
      large: flag,
    },
  });
  const syncToDisk = !values['no-sync'];
  const usual = { coding: wide, sizeBytes: large, peers: 120, atOnce: 8, missing: 'half', syncToDisk } as const;
  const isOne = [values.code, values.size, values.peers, values['at-once'], values.missing].some(
    (each) => each !== undefined,
  );
  const sizes = [small, middle, large];
  const chosen: Omit<RepairCase, 'files'>[] = isOne
    ? namedCases(values, syncToDisk)
    : sizes.flatMap((sizeBytes) => [8, 1].map((atOnce) => ({ ...usual, sizeBytes, atOnce })));
  if (!isOne) {
    chosen.push(
      { ...usual, sizeBytes: small, atOnce: smallAtOnce },
      { ...usual, missing: 'all-but-k' },
      { ...usual, syncToDisk: false },
      { ...usual, peers: 40 },
      { ...usual, peers: 12 },
    );
    const few = { ...usual, coding: narrow, peers: 12 };
    for (const sizeBytes of sizes) for (const atOnce of [8, 1]) chosen.push({ ...few, sizeBytes, atOnce });
    chosen.push({ ...few, sizeBytes: small, atOnce: smallAtOnce });
  }
  if (values.large) chosen.push({ ...usual, sizeBytes: huge, atOnce: 1 });
  return {
    cases: chosen.map((each) => ({ ...each, files: Number(values.files ?? filesFor(each)) })),
    rounds: Number(values.rounds ?? 3),
    tahoe: !values['no-tahoe'],
    breakdown: values.breakdown,
    profile: values.profile,
  };
}

type Named = Readonly<Partial<Record<'code' | 'size' | 'peers' | 'at-once' | 'missing', string>>>;

/** All that the named values make together. */
function namedCases(values: Named, syncToDisk: boolean): Omit<RepairCase, 'files'>[] {
  const each = <T>(name: keyof Named, usual: T, of: (text: string) => T): T[] =>
    values[name] === undefined ? [usual] : values[name].split(',').map(of);
  return each('code', wide, codingOf).flatMap((coding) =>
    each('peers', coding.n === 10 ? 12 : 120, countOf).flatMap((peers) =>
      each('missing', 'half', missingOf).flatMap((missing) =>
        each('size', large, sizeOf).flatMap((sizeBytes) =>
          each('at-once', 8, countOf).map((atOnce) => ({ coding, sizeBytes, peers, atOnce, missing, syncToDisk })),
        ),
      ),
    ),
  );
}

export function titleOf({ coding: { k, n }, sizeBytes, peers, atOnce, missing, syncToDisk }: RepairCase): string {
  const gone = missing === 'half' ? 'half missing' : 'all but k missing';
  return `${k}-of-${n}, ${sizeText(sizeBytes)}, ${gone}, ${peers} peers, ${atOnce} at once${syncToDisk ? '' : ', no sync'}`;
}

export function sizeText(sizeBytes: number): string {
  if (sizeBytes >= 1e9) return `${sizeBytes / 1e9} GB`;
  return sizeBytes >= 1e6 ? `${sizeBytes / 1e6} MB` : `${sizeBytes / 1e3} KB`;
}

/** Shares that damage leaves. */
export function keptOf({ coding: { k, n }, missing }: RepairCase): number {
  return missing === 'half' ? n / 2 : k;
}

function filesFor({ sizeBytes, atOnce }: Omit<RepairCase, 'files'>): number {
  if (sizeBytes >= huge) return 1;
  const turns = sizeBytes <= small ? 4 : 2;
  return atOnce === 1 ? turns * 2 : atOnce * turns;
}

export function codingOf(text: string): Coding {
  const [k = 0, n = 0] = text.split('/').map(Number);
  if (!(k >= 1 && n > k && n <= 256)) throw new RangeError(`${text} is no coding such as 25/100`);
  return { k, n };
}

function countOf(text: string): number {
  const count = Number(text);
  if (!(Number.isInteger(count) && count >= 1)) throw new RangeError(`${text} is no number of them`);
  return count;
}

function missingOf(text: string): RepairCase['missing'] {
  if (text !== 'half' && text !== 'all-but-k')
    throw new RangeError(`what is missing is half or all-but-k, not ${text}`);
  return text;
}

export function sizeOf(text: string): number {
  const match = /^(\d+)(KB|MB|GB)$/.exec(text);
  if (match === null) throw new RangeError(`${text} is no size such as 10MB`);
  return Number(match[1]) * { KB: 1e3, MB: 1e6, GB: 1e9 }[match[2] as 'KB' | 'MB' | 'GB'];
}
