/**
 * Regeneration as it was before new blocks were hashed in the pass that made them: every source is hashed where it is read, one
 * call of the codec makes a window, and one more pass hashes what was made; all hashing on the event loop.
 */
import { blockHashes } from '#native/hash.ts';
import { completeWindow, pick, primaryNumbers, readAhead } from '#tahoe/share/decode.ts';
import { computeTree, sameHash, treeNode } from '#tahoe/share/hash-tree.ts';
import { computeLayout, hashBytes } from '#tahoe/share/layout.ts';
import { appendBlocks, type ShareSink, ShareWriter } from '#tahoe/share/share-writer.ts';
import { type BlockWindow, SourceSet } from '#tahoe/share/source-set.ts';
import type { VerifiedShare } from '#tahoe/share/verified-share.ts';
import { joinSegments, Scratch, type SegmentSpan, segmentSpans } from '#tahoe/share/window.ts';

/** Up to the hash trees of the new shares. */
export async function regenerateStraightforwardly(
  sources: readonly VerifiedShare[],
  wanted: readonly { readonly shareNumber: number; readonly sink: ShareSink }[],
  windowBytes: number,
): Promise<void> {
  const set = new SourceSet(sources, {});
  const { ueb } = set.first;
  const layout = computeLayout(ueb);
  const writers = wanted.map(({ shareNumber, sink }) => new ShareWriter(shareNumber, layout, ueb.bytes.length, sink));
  const numbers = wanted.map(({ shareNumber }) => shareNumber);
  const primary = primaryNumbers(layout);
  const crypttextHashes = new Uint8Array(layout.segmentCount * hashBytes);
  const [madeScratch, joinScratch] = [new Scratch(), new Scratch()];
  await Promise.all(writers.map((writer) => writer.begin()));
  const spans = segmentSpans(layout, 2 * layout.k + numbers.length, windowBytes);
  const read = (span: SegmentSpan): Promise<BlockWindow> => set.readWindow(span.firstSegment, span.count);
  for await (const { span, window } of readAhead(spans, read)) {
    const blocks = await completeWindow(layout, window, [...numbers, ...primary], madeScratch);
    const ciphertext = joinSegments(layout, span, pick(blocks, primary), joinScratch);
    crypttextHashes.set(
      blockHashes(ciphertext, layout.segmentBytes, 'crypttext-segment'),
      span.firstSegment * hashBytes,
    );
    const [firstMade] = pick(blocks, numbers) as [Uint8Array];
    const madeBytes = firstMade.length * numbers.length;
    // Computed blocks lie one share after another, the wanted ones first.
    await appendBlocks(layout, span, writers, new Uint8Array(firstMade.buffer, firstMade.byteOffset, madeBytes));
  }
  const crypttextTree = computeTree(crypttextHashes);
  if (!sameHash(treeNode(crypttextTree, 0), ueb.crypttextRootHash)) throw new Error('not one codeword');
  for (const writer of writers) writer.blockRoot(crypttextTree);
}
