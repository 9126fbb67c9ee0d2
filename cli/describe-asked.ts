/** What a peer is told of files: the answer first, then how far it is from another. */
import type { AskedFile } from '#mesh/asking.ts';
import { aligned, describeFreshness, describeTolerance, signed } from './describe-file.ts';
import { table } from './output.ts';

export interface ToldFile {
  readonly name: string;
  readonly file: AskedFile | { readonly answer: 'literal'; readonly recoverableNow: true };
}

export function describeAskedFile({ file }: ToldFile): string {
  switch (file.answer) {
    case 'literal':
      return 'recoverable now: yes\nA literal cap holds the file itself: it has no shares, and nothing can be lost but the cap.';
    case 'unknown':
      return aligned([
        ['recoverable now', 'not known'],
        ['because', file.why],
        ['freshness', describeFreshness(file.freshness)],
      ]);
    case 'unanswered':
      return aligned([
        ['recoverable now', 'cannot be told at the moment: ask again'],
        ['because', file.why],
      ]);
    case 'known':
      return aligned([
        [
          'recoverable now',
          file.recoverableNow ? 'yes' : `no: ${file.available} of ${file.k} needed shares are available`,
        ],
        ['grade', `${file.grade}${file.settling ? ' (new: its shares are still being reported)' : ''}`],
        ['margin', `${signed(file.margin)} shares, counted from the ${file.k} that are needed`],
        ['shares available', `${file.available} of ${file.n}`],
        ['shares retained', `${file.retained} (with those on peers that are down)`],
        ...(file.corrupt === 0 ? [] : [['shares corrupt', String(file.corrupt)] as const]),
        ['survives', describeTolerance(file)],
        ['repair', file.onAtRiskList ? 'has been asked for' : 'is not needed'],
        ['storage index', file.storageIndex],
        ['freshness', describeFreshness(file.freshness)],
      ]);
  }
}

/** A line for each, in the order in which they were asked, and what it comes to. */
export function describeAskedFiles(told: readonly ToldFile[]): string {
  const rows = told.map(({ name, file }) => rowOf(file).concat(name));
  const count = (isIt: (file: ToldFile['file']) => boolean): number => told.filter(({ file }) => isIt(file)).length;
  const stale = told.find(({ file }) => 'freshness' in file && file.freshness.state === 'stale')?.file;
  const words = [
    `${told.length} files: ${count((file) => 'recoverableNow' in file && file.recoverableNow)} could be recovered now`,
    `${count((file) => 'recoverableNow' in file && !file.recoverableNow)} could not`,
    `${count(({ answer }) => answer === 'unknown')} are not known`,
    `${count(({ answer }) => answer === 'unanswered')} cannot be told at the moment`,
  ];
  const header = ['storage index', 'recoverable now', 'grade', 'margin', 'available', 'freshness', 'name'];
  return [
    table(header, rows),
    '',
    `${words.join(', ')}.`,
    ...(stale !== undefined && 'freshness' in stale ? [`Health is ${describeFreshness(stale.freshness)}.`] : []),
  ].join('\n');
}

function rowOf(file: ToldFile['file']): string[] {
  switch (file.answer) {
    case 'literal':
      return ['(literal)', 'yes', '-', '-', '-', 'fresh'];
    case 'unknown':
      return [file.storageIndex, 'not known', '-', '-', '-', file.freshness.state];
    case 'unanswered':
      return [file.storageIndex, 'ask again', '-', '-', '-', '-'];
    case 'known': {
      const { storageIndex, recoverableNow, grade, margin, available, k, n, freshness } = file;
      const answer = recoverableNow ? 'yes' : 'no';
      return [storageIndex, answer, grade, signed(margin), `${available}/${k}-of-${n}`, freshness.state];
    }
  }
}
