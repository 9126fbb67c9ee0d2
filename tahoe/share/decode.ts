/** From verified shares back to ciphertext (FORMAT sections 5 and 8). */
import { MeshwardError } from '#mesh/errors.ts';
import { regenerateAsync } from '#native/codec.ts';
import { blockHashesAsync } from '#native/threaded-hash.ts';
import { sameHash } from './hash-tree.ts';
import type { ShareLayout } from './layout.ts';
import { type MadeWindow, makeWindow } from './regenerate-window.ts';
import { type BlockWindow, letGo, type ReplaceSource, SourceSet, type UncheckedWindow } from './source-set.ts';
import type { VerifiedShare } from './verified-share.ts';
import {
  blockBytesIn,
  cutEvenly,
  defaultWindowBytes,
  joinSegments,
  Scratch,
  type SegmentSpan,
  segmentSpans,
} from './window.ts';

export interface DecodeOptions {
  readonly replace?: ReplaceSource | undefined;
  readonly signal?: AbortSignal | undefined;
  /** @default 16 MiB */
  readonly windowBytes?: number | undefined;
}

/** Ciphertext that is put together and checked at a time: the event loop is not held for long, and calls cost little. */
const handedOutBytes = 4 * 1024 * 1024;

/**
 * The ciphertext in order, some segments at a time, each checked against the crypttext hash tree before it is handed out. What is
 * handed out is good until the next is asked for.
 *
 * @param sources at least `k` verified shares of one file; more are spares.
 * @throws MeshwardError `not-enough-shares`, `file-irrecoverable` (the shares do not belong to one file), `cancelled`.
 */
export async function* decodeCiphertext(
  sources: readonly VerifiedShare[],
  options: DecodeOptions = {},
): AsyncGenerator<Uint8Array> {
  const set = new SourceSet(sources, options);
  const { signal } = options;
  const { layout } = set.first;
  const spans = segmentSpans(layout, 2 * layout.k, options.windowBytes ?? defaultWindowBytes);
  const primary = primaryNumbers(layout);
  const missing = (numbers: readonly number[]): number[] => primary.filter((number) => !numbers.includes(number));
  const [madeScratch, joinScratch] = [new Scratch(), new Scratch()];
  const read = (span: SegmentSpan): Promise<UncheckedWindow> => set.readUnchecked(span.firstSegment, span.count);
  for await (const { span, window: unchecked } of readAhead(spans, read)) {
    const made = await makeWindow(set, layout, span, unchecked, missing, madeScratch, signal);
    const blocks = pick(blocksOf(made), primary);
    for (const part of parts(layout, span)) {
      const ciphertext = joinSegments(layout, part, cut(layout, span, part, blocks), joinScratch);
      const [hashes, expected] = await Promise.all([
        blockHashesAsync(ciphertext, layout.segmentBytes, 'crypttext-segment', { signal }),
        readCrypttextHashes(set, part),
      ]);
      if (!sameHash(hashes, expected)) throw notOneCodeword();
      yield ciphertext;
    }
    letGo(made.window);
  }
}

/** What was read and what was made of it, by share number. */
function blocksOf({ window, madeNumbers, made }: MadeWindow): ReadonlyMap<number, Uint8Array> {
  const blocks = new Map(window.numbers.map((number, i) => [number, window.blocks[i] as Uint8Array]));
  const spanBytes = made.length / madeNumbers.length;
  madeNumbers.forEach((number, i) => blocks.set(number, made.subarray(i * spanBytes, (i + 1) * spanBytes)));
  return blocks;
}

function* parts(layout: ShareLayout, span: SegmentSpan): Generator<SegmentSpan> {
  const atOnce = Math.max(1, Math.floor(handedOutBytes / layout.segmentBytes));
  for (let first = 0; first < span.count; first += atOnce) {
    yield { firstSegment: span.firstSegment + first, count: Math.min(atOnce, span.count - first) };
  }
}

/** The blocks of a part of the span. */
function cut(
  layout: ShareLayout,
  span: SegmentSpan,
  part: SegmentSpan,
  blocks: readonly Uint8Array[],
): readonly Uint8Array[] {
  const blockBytes = blockBytesIn(layout, span);
  const first = part.firstSegment - span.firstSegment;
  return blocks.map((each) => each.subarray(first * blockBytes, (first + part.count) * blockBytes));
}

/** Reads each span while the one before it is being worked on. @param read of the source set, checked or not. */
export async function* readAhead<W>(
  spans: Iterable<SegmentSpan>,
  read: (span: SegmentSpan) => Promise<W>,
): AsyncGenerator<{ span: SegmentSpan; window: W }> {
  const start = (span: SegmentSpan): { span: SegmentSpan; reading: Promise<W> } => {
    const reading = read(span);
    // Its failure is met when its turn comes, or never where the work ended before.
    reading.catch(() => undefined);
    return { span, reading };
  };
  let ahead: { span: SegmentSpan; reading: Promise<W> } | null = null;
  for (const span of spans) {
    const current = ahead;
    if (current === null) {
      ahead = start(span);
      continue;
    }
    const window = await current.reading;
    ahead = start(span);
    yield { span: current.span, window };
  }
  if (ahead !== null) yield { span: ahead.span, window: await ahead.reading };
}

/**
 * Computes the blocks of `needed` that no source has.
 *
 * @param window checked.
 * @param scratch where the computed blocks go; used again by the next call.
 * @returns blocks by share number: what the sources gave and what was computed.
 */
export async function completeWindow(
  layout: ShareLayout,
  window: BlockWindow,
  needed: readonly number[],
  scratch = new Scratch(),
): Promise<ReadonlyMap<number, Uint8Array>> {
  const blocks = new Map<number, Uint8Array>();
  window.numbers.forEach((shareNumber, i) => blocks.set(shareNumber, window.blocks[i] as Uint8Array));
  const wantedNumbers = needed.filter((shareNumber) => !blocks.has(shareNumber));
  if (wantedNumbers.length === 0) return blocks;
  const spanBytes = (window.blocks[0] as Uint8Array).length;
  const outputs = cutEvenly(scratch.take(spanBytes * wantedNumbers.length), spanBytes);
  const { k, n } = layout;
  await regenerateAsync({ k, n, sourceNumbers: window.numbers, sources: window.blocks, wantedNumbers, outputs });
  wantedNumbers.forEach((shareNumber, i) => blocks.set(shareNumber, outputs[i] as Uint8Array));
  return blocks;
}

export function primaryNumbers(layout: ShareLayout): number[] {
  return Array.from({ length: layout.k }, (_, shareNumber) => shareNumber);
}

export function pick(blocks: ReadonlyMap<number, Uint8Array>, numbers: readonly number[]): Uint8Array[] {
  return numbers.map((shareNumber) => blocks.get(shareNumber) as Uint8Array);
}

/** Every block matched its hash, and yet they do not give one file: the uploader made them so, other subsets as well. */
export function notOneCodeword(): MeshwardError {
  return new MeshwardError('file-irrecoverable', 'the shares are sound one by one but do not belong to one file', {
    next: 'No repair can mend what was uploaded like this: ask the owner to upload the file again.',
  });
}

/** Every share holds a copy of this tree; one sound copy is enough. */
async function readCrypttextHashes(set: SourceSet, span: SegmentSpan): Promise<Uint8Array> {
  let firstError: unknown = null;
  for (const share of set.active) {
    try {
      return await share.crypttextHashes(span.firstSegment, span.count);
    } catch (error) {
      firstError ??= error;
    }
  }
  throw firstError;
}
