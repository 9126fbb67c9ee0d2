/**
 * Reed–Solomon over GF(2^8), bit-identical to zfec (Tahoe-LAFS): any wanted shares from any `k` of `n`, straight, without
 * decoding first. Blocks of several segments that lie one after another in each share are one long block to this code;
 * `segments.ts` takes those that do not.
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
import { loadNative } from './load.ts';

export interface RegenerateRequest extends ShareNumbers {
  /** The blocks of the source shares, in the order of `sourceNumbers`, all of one length (which may be zero). */
  readonly sources: readonly Uint8Array[];
  /** Where to write, in the order of `wantedNumbers`: of the blocks' length, overlapping neither sources nor each other. */
  readonly outputs?: readonly Uint8Array[];
}

export interface EncodeRequest {
  readonly k: number;
  readonly n: number;
  /** The blocks of shares 0 … k − 1: the data itself. */
  readonly primary: readonly Uint8Array[];
  readonly wantedNumbers: readonly number[];
  readonly outputs?: readonly Uint8Array[];
}

/**
 * The wanted blocks, computed on this thread.
 * @throws MeshwardError `bad-coding` for `k` and `n`, `codec-failed` for any other fault of the request.
 */
export function regenerate(request: RegenerateRequest): Uint8Array[] {
  const numbers = packNumbers(request);
  const outputs = outputsFor(
    request.wantedNumbers,
    request.outputs,
    checkSources(request.sourceNumbers, request.sources),
  );
  runNative(() => loadNative().regenerate(numbers, request.k, request.sources, outputs, null, null));
  return outputs;
}

/** `regenerate` from the data blocks. */
export function encode(request: EncodeRequest): Uint8Array[] {
  return regenerate(fromPrimary(request));
}

/**
 * As `regenerate`; work of more than about a tenth of a millisecond runs on the addon's own threads. Sources and outputs must
 * not be written, transferred or resized until the promise settles; an abort settles it as soon as no thread touches them.
 * The first call for a set of share numbers makes its plan here: 0.15 ms for an encoding of 25-of-100, 2 ms at 128-of-256.
 * @throws MeshwardError as `regenerate`, `cancelled`, or `service-busy` (retryable) when 256 jobs are waiting or the system
 * gives no thread.
 */
export async function regenerateAsync(
  request: RegenerateRequest,
  options: { signal?: AbortSignal } = {},
): Promise<Uint8Array[]> {
  const numbers = packNumbers(request);
  const outputs = outputsFor(
    request.wantedNumbers,
    request.outputs,
    checkSources(request.sourceNumbers, request.sources),
  );
  const sources = [...request.sources];
  refuseResizable(sources);
  refuseResizable(outputs);
  // The addon keeps its arrays until the job settles; the caller may do with the returned one as it likes.
  const start = (onSettled: (cancelled: boolean) => void): number =>
    loadNative().startRegenerate(numbers, request.k, sources, [...outputs], null, null, onSettled);
  await runJob(start, options.signal);
  return outputs;
}

/** `regenerateAsync` from the data blocks. */
export function encodeAsync(request: EncodeRequest, options: { signal?: AbortSignal } = {}): Promise<Uint8Array[]> {
  return regenerateAsync(fromPrimary(request), options);
}

function fromPrimary(request: EncodeRequest): RegenerateRequest {
  const { primary, ...rest } = request;
  return { ...rest, sources: primary, sourceNumbers: Array.from(primary, (_, number) => number) };
}
