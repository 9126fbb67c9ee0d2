/**
 * Block hashes on the addon's own threads. To it the blocks are sources of segments of which no share is wanted: those of one
 * segment are hashed side by side, and its threads take segments in turn.
 */
import { refuseResizable, runJob } from './codec-request.ts';
import { type BlockHashTag, blockHashes, digestBytes, hashTags, refuseBlockBytes } from './hash.ts';
import { loadNative } from './load.ts';

/** Two of the processor's pipelines are filled by two blocks; shorter ones go together, so that a turn is worth taking. */
const groupBytes = 512 * 1024;
const mostInGroup = 16;
/** Less is done sooner than it is handed over. */
const worthThreadsBytes = 256 * 1024;

/**
 * As `blockHashes`, where it is worth it beside the event loop. `data` may not be written, transferred or resized until then.
 * @throws MeshwardError `bad-input`, `cancelled`, or `service-busy` (retryable) when 256 jobs are waiting.
 */
export async function blockHashesAsync(
  data: Uint8Array,
  blockBytes: number,
  tag: BlockHashTag,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Uint8Array> {
  refuseBlockBytes(blockBytes);
  refuseResizable([data]);
  if (data.length < worthThreadsBytes) return blockHashes(data, blockBytes, tag);
  const whole = Math.floor(data.length / blockBytes);
  const digests = new Uint8Array(Math.ceil(data.length / blockBytes) * digestBytes);
  const inGroup = Math.max(2, Math.min(mostInGroup, Math.floor(groupBytes / blockBytes)));
  const grouped = whole - (whole % inGroup);
  const jobs: Promise<void>[] = [];
  const hash = (first: number, end: number, together: number): void => {
    if (first === end) return;
    const blocks = Array.from({ length: end - first }, (_, i) =>
      data.subarray((first + i) * blockBytes, (first + i + 1) * blockBytes),
    );
    const into = digests.subarray(first * digestBytes, end * digestBytes);
    const numbers = Uint8Array.from({ length: together }, (_, number) => number);
    const start = (onSettled: (cancelled: boolean) => void): number =>
      loadNative().startRegenerate(numbers, together, blocks, [], hashTags[tag], into, onSettled);
    jobs.push(runJob(start, options.signal));
  };
  hash(0, grouped, inGroup);
  hash(grouped, whole, whole - grouped);
  // A short last block has another length than those that are hashed together.
  hash(whole, digests.length / digestBytes, 1);
  // All of them, also where one failed: until then threads may read the data.
  const settled = await Promise.allSettled(jobs);
  const failed = settled.find((job) => job.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return digests;
}
