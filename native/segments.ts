/**
 * Regenerates many segments of a file in one call, wherever their blocks are, and hashes every block on the way, while it is
 * in the processor's cache: a segment's blocks of 42 kB (or 5 kB in old files) cost no call each.
 */
import {
  checkSources,
  outputsFor,
  packNumbers,
  refuseResizable,
  runJob,
  runNative,
  type ShareNumbers,
} from './codec-request.ts';
import { digestBytes, hashTags } from './hash.ts';
import { loadNative } from './load.ts';

export interface SegmentBlocks {
  /** One block of each source share, in the order of `sourceNumbers`, of one length; the tail segment's may be shorter. */
  readonly sources: readonly Uint8Array[];
  /** Where to write, in the order of `wantedNumbers`; overlapping no block of any segment of the call. */
  readonly outputs?: readonly Uint8Array[];
}

export interface SegmentsRequest extends ShareNumbers {
  readonly segments: readonly SegmentBlocks[];
}

export interface RegeneratedSegment {
  readonly outputs: Uint8Array[];
  /** Block hashes of the sources, 32 bytes each: to be compared with the shares' block trees before the outputs are used. */
  readonly sourceHashes: Uint8Array;
  /** Block hashes of the outputs, 32 bytes each: the leaves of the new shares' block trees. */
  readonly outputHashes: Uint8Array;
}

/**
 * On this thread.
 * @throws MeshwardError `bad-coding` for `k` and `n`, `codec-failed` for any other fault of the request.
 */
export function regenerateSegments(request: SegmentsRequest): RegeneratedSegment[] {
  const call = prepare(request);
  runNative(() =>
    loadNative().regenerate(call.numbers, request.k, call.sources, call.outputs, hashTags.block, call.digests),
  );
  return call.results;
}

/**
 * As `regenerateSegments`, on the addon's own threads where it is worth it. No block may be written, transferred or resized
 * until the promise settles. @throws MeshwardError as `regenerateSegments`, `cancelled`, or `service-busy` (retryable).
 */
export async function regenerateSegmentsAsync(
  request: SegmentsRequest,
  options: { signal?: AbortSignal } = {},
): Promise<RegeneratedSegment[]> {
  const { numbers, sources, outputs, digests, results } = prepare(request);
  refuseResizable(sources);
  refuseResizable(outputs);
  const start = (onSettled: (cancelled: boolean) => void): number =>
    loadNative().startRegenerate(numbers, request.k, sources, outputs, hashTags.block, digests, onSettled);
  await runJob(start, options.signal);
  return results;
}

interface NativeCall {
  readonly numbers: Uint8Array;
  /** All segments' blocks, one segment after another. */
  readonly sources: Uint8Array[];
  readonly outputs: Uint8Array[];
  /** For each segment the hashes of its sources, then of its outputs. */
  readonly digests: Uint8Array;
  /** What the call gives back, as views of the digests. */
  readonly results: RegeneratedSegment[];
}

function prepare(request: SegmentsRequest): NativeCall {
  const { sourceNumbers, wantedNumbers, segments } = request;
  const numbers = packNumbers(request);
  const digests = new Uint8Array(segments.length * numbers.length * digestBytes);
  const call: NativeCall = { numbers, sources: [], outputs: [], digests, results: [] };
  for (const [i, segment] of segments.entries()) {
    const outputs = outputsFor(wantedNumbers, segment.outputs, checkSources(sourceNumbers, segment.sources));
    call.sources.push(...segment.sources);
    call.outputs.push(...outputs);
    const hashes = digests.subarray(i * numbers.length * digestBytes, (i + 1) * numbers.length * digestBytes);
    const sourceHashes = hashes.subarray(0, sourceNumbers.length * digestBytes);
    call.results.push({ outputs, sourceHashes, outputHashes: hashes.subarray(sourceHashes.length) });
  }
  return call;
}
