/** Which transfers are measured, and how the words after the bench's name choose among them. */
import { parseArgs } from 'node:util';
import type { Coding } from '#mesh/coding.ts';
import { codingOf, sizeOf, sizeText } from '../repair/cases.ts';

export const transferKinds = ['put', 'get', 'prove'] as const;
export type TransferKind = (typeof transferKinds)[number];

export interface TransferCase {
  readonly coding: Coding;
  readonly sizeBytes: number;
  readonly peers: number;
  readonly atOnce: number;
  /** Whether our peers have a share on the disk before they acknowledge it. Tahoe's nodes never do. */
  readonly syncToDisk: boolean;
  /** Nobody has told who gets and proves where shares lie. */
  readonly isAsking: boolean;
  readonly files: number;
  /** Tahoe has no need for a whole round of files: it takes long enough over as many as it does at once. */
  readonly tahoeFiles: number;
}

export interface TransferBenchOptions {
  readonly cases: readonly TransferCase[];
  readonly rounds: number;
  readonly tahoe: boolean;
  /** A folder for profiles of one more round. */
  readonly profile: string | undefined;
}

export const usage = `words: --code K/N  --size 10KB|1MB|10MB|100MB|1GB  --peers N  --at-once N  --files N  --tahoe-files N
       --rounds N  --no-tahoe  --no-sync  --asking (where shares lie is not known)  --profile DIR
Whatever is named of a case is measured alone; without any, the usual ones are.`;

const codings: readonly Coding[] = [
  { k: 25, n: 100 },
  { k: 3, n: 10 },
];
const [small, middle, large, larger] = [10_000, 1_000_000, 10_000_000, 100_000_000];

export function optionsOf(words: readonly string[]): TransferBenchOptions {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      code: text,
      size: text,
      peers: text,
      'at-once': text,
      files: text,
      'tahoe-files': text,
      rounds: text,
      profile: text,
      'no-tahoe': flag,
      'no-sync': flag,
      asking: flag,
    },
  });
  const chosen = codings
    .filter(({ k, n }) => values.code === undefined || values.code === `${k}/${n}`)
    .concat(values.code === undefined || isUsual(values.code) ? [] : [codingOf(values.code)])
    .flatMap((coding) =>
      (values.size === undefined ? [small, middle, large, larger] : [sizeOf(values.size)]).flatMap((sizeBytes) =>
        (values['at-once'] === undefined ? [8, 1] : [Number(values['at-once'])]).map((atOnce) => ({
          coding,
          sizeBytes,
          atOnce,
          peers: Number(values.peers ?? (coding.n <= 10 ? 12 : 120)),
          syncToDisk: !values['no-sync'],
          isAsking: values.asking,
        })),
      ),
    );
  return {
    cases: chosen.map((each) => {
      const files = Number(values.files ?? filesFor(each));
      return { ...each, files, tahoeFiles: Number(values['tahoe-files'] ?? Math.min(files, each.atOnce)) };
    }),
    rounds: Number(values.rounds ?? 3),
    tahoe: !values['no-tahoe'],
    profile: values.profile,
  };
}

export function titleOf(kind: TransferKind, of: TransferCase): string {
  const { k, n } = of.coding;
  const how = `${of.syncToDisk ? '' : ', no sync'}${of.isAsking ? ', asking' : ''}`;
  return `${kind} ${k}-of-${n}, ${sizeText(of.sizeBytes)}, ${of.peers} peers, ${of.atOnce} at once${how}`;
}

export function isSmall({ sizeBytes }: TransferCase): boolean {
  return sizeBytes < 100_000;
}

function isUsual(code: string): boolean {
  return codings.some(({ k, n }) => code === `${k}/${n}`);
}

function filesFor({ sizeBytes, atOnce }: { readonly sizeBytes: number; readonly atOnce: number }): number {
  if (sizeBytes >= larger) return atOnce;
  const turns = sizeBytes <= small ? 8 : 2;
  return atOnce === 1 ? turns * 2 : atOnce * turns;
}
