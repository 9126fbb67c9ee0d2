/** A file's health as people read it: the answer first, then why. */
import type { FileAnswerBody, FileDetailAnswer, FreshnessAnswer } from '#analyzer/api/schemas.ts';
import { formatBytes } from './terminal/amounts.ts';
import { moodOf, type Paint, plainPaint } from './terminal/colour.ts';
import { table } from './terminal/table.ts';
import { bytesColumn, listingView, type View } from './terminal/view.ts';

export function describeFile(
  file: FileDetailAnswer,
  options: { readonly placements: boolean; readonly paint?: Paint },
): string {
  const { k, n } = file;
  const { paint = plainPaint } = options;
  const facts: [string, string][] = [
    [
      'recoverable now',
      file.recoverableNow
        ? paint('good', 'yes')
        : paint('bad', `no: ${file.available} of ${k} needed shares are available`),
    ],
    [
      'grade',
      `${paint(moodOf(file.grade), file.grade)}${file.settling ? ' (new: its shares are still being reported)' : ''}`,
    ],
    ['margin', `${signed(file.margin)} shares, counted from the ${k} that are needed`],
    ['shares available', `${file.available} of ${n}`],
    ['shares counted', `${file.counted} (with those on peers that are silent for a moment)`],
    ['shares retained', `${file.retained} (with those on peers that are down)`],
    ...(file.corrupt === 0 ? [] : [['shares corrupt', String(file.corrupt)] as [string, string]]),
    ['survives', describeTolerance(file)],
    [
      'repair',
      `below ${file.repairBelow} counted shares, up to ${file.repairUpTo}${file.onAtRiskList ? '; on the at-risk list now' : ''}`,
    ],
    ...(file.repair === undefined ? [] : [['tried', describeTries(file.repair)] as [string, string]]),
    ['cause', file.cause === '' ? '-' : file.cause],
    ['loss', describeLoss(file)],
    ['policy', `${file.policy}${file.tag === '' ? '' : `, tag ${file.tag}`}`],
    ['size', formatBytes(file.sizeBytes)],
    ['storage index', file.storageIndex],
    ['verify cap', file.verifyCap],
    ['freshness', describeFreshness(file.freshness)],
  ];
  const text = aligned(facts);
  if (!options.placements) return text;
  const rows = file.placements
    .toSorted((a, b) => a.shareNumber - b.shareNumber)
    .map((placement) => [
      placement.shareNumber,
      placement.peerName,
      placement.peerState,
      placement.corrupt ? 'corrupt' : placement.available ? 'available' : 'not available',
      placement.peerId,
    ]);
  return `${text}\n\n${rows.length === 0 ? 'No placements are known.' : table(['share', 'peer', 'state', 'share is', 'peer id'], rows)}`;
}

/** A line for each file, most urgent first. */
export function filesView(listed: {
  readonly files: readonly FileAnswerBody[];
  readonly value: unknown;
  readonly none: string;
  readonly below: readonly string[];
}): View {
  return listingView<FileAnswerBody>({
    ...listed,
    rows: listed.files,
    columns: [
      { title: 'storage index', value: ({ storageIndex }) => storageIndex },
      { title: 'grade', value: ({ grade }) => grade, mood: ({ grade }) => moodOf(grade) },
      { title: 'margin', value: ({ margin }) => margin, text: ({ margin }) => signed(margin) },
      { title: 'available', value: ({ available }) => available, text: describeAvailable, rank: 1 },
      { title: 'counted', value: ({ counted }) => counted, rank: 5 },
      {
        title: 'survives loss of',
        name: 'survives_peers',
        value: ({ tolerancePeers }) => Math.max(0, tolerancePeers - 1),
        rank: 4,
      },
      bytesColumn('size', 'size_bytes', ({ sizeBytes }) => sizeBytes, 3),
      {
        title: 'tried',
        value: ({ repair }) => repair?.tries ?? 0,
        text: ({ repair }) => (repair === undefined ? '-' : describeTries(repair)),
        fit: 'text',
        rank: 2,
      },
      { title: 'cause', value: ({ cause }) => cause, fit: 'text' },
    ],
  });
}

function describeAvailable({ available, k, n }: FileAnswerBody): string {
  return `${available}/${k}-of-${n}`;
}

function describeTries({ tries, errorMessage, errorCode, nextTryAtMs }: NonNullable<FileAnswerBody['repair']>): string {
  const next = nextTryAtMs === null ? 'next in its turn' : `again at ${new Date(nextTryAtMs).toISOString()} or sooner`;
  return `${tries === 1 ? 'once' : `${tries} times`}: ${errorMessage} [${errorCode}]; ${next}`;
}

export function describeFreshness({ state, asOfMs, reasons }: FreshnessAnswer): string {
  const asOf = asOfMs === 0 ? '' : `, as of ${new Date(asOfMs).toISOString()}`;
  return state === 'fresh' ? `fresh${asOf}` : `stale${asOf}: ${reasons.join('; ')}`;
}

/** Tolerance is the fewest whose loss is too much: any one fewer may go. */
export function describeTolerance({
  tolerancePeers,
  toleranceDomains,
}: Pick<FileAnswerBody, 'tolerancePeers' | 'toleranceDomains'>): string {
  if (tolerancePeers === 0) return 'no further loss: it cannot be recovered until peers come back';
  const any = (tolerance: number, what: string): string =>
    tolerance <= 1 ? `of no ${what}` : `of any ${tolerance - 1} ${what}${tolerance === 2 ? '' : 's'}`;
  const ways = [
    any(tolerancePeers, 'peer'),
    ...Object.entries(toleranceDomains).map(([kind, tolerance]) => any(tolerance, kind)),
  ];
  return `the loss ${ways.join(', or ')}`;
}

/** Files are ordered by it; it says nothing about failures that peers share. */
function describeLoss({ log10Loss }: FileAnswerBody): string {
  if (log10Loss >= 0) return 'cannot be recovered unless peers come back';
  return `10^${log10Loss.toFixed(1)} by independent failures`;
}

export function signed(value: number): string {
  return value > 0 ? `+${value}` : String(value);
}

export function aligned(facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
