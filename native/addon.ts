/** What the C++ addon exports, as its binding.cc files define it. Use the typed fronts (codec.ts, hash.ts), not this. */
export interface NativeAddon {
  isaLevel(): string;
  isaLevelsSupported(): string[];
  /** False where this processor does not have the level. One level for the whole process. */
  setIsaLevel(level: string): boolean;
  /** False: hashes as on a processor without the SHA extensions, whatever the level; for measuring and tests. */
  useSha(used: boolean): void;

  /**
   * `numbers`: source numbers, then wanted numbers. `sources` and `outputs`: k blocks and one for each wanted number, segment
   * after segment. With a tag, the tagged hashes of all blocks go to `digests`: each segment's sources, then its outputs.
   * @throws TypeError, RangeError
   */
  regenerate(
    numbers: Uint8Array,
    k: number,
    sources: readonly Uint8Array[],
    outputs: readonly Uint8Array[],
    tag: string | null,
    digests: Uint8Array | null,
  ): void;
  /**
   * The job's id, 0 where the pool's queue is full, or −1 where it was so little that it is done already and `onSettled` is
   * not called. The arrays must not be changed until it has settled.
   */
  startRegenerate(
    numbers: Uint8Array,
    k: number,
    sources: readonly Uint8Array[],
    outputs: readonly Uint8Array[],
    tag: string | null,
    digests: Uint8Array | null,
    onSettled: (cancelled: boolean) => void,
  ): number;
  cancelRegenerate(jobId: number): void;

  /** A null tag is no prefix at all. @throws TypeError, RangeError */
  doubleHash(tag: string | null, blocks: readonly Uint8Array[], digests: Uint8Array): void;
  blockHashes(tag: string | null, data: Uint8Array, blockBytes: number, digests: Uint8Array): void;
  hashTree(leaves: Uint8Array, nodes: Uint8Array): void;
  pairHash(left: Uint8Array, right: Uint8Array, digest: Uint8Array): void;

  /** An outcome a file (0 or a negative errno), then how many syncs there were. */
  writeFiles(paths: readonly string[], parts: readonly (readonly Uint8Array[])[], sync: boolean): Promise<number[]>;
  /** An outcome a file (0, 1 where the name is taken, or a negative errno), that of the syncs, then how many there were. */
  placeFiles(
    from: readonly string[],
    folders: readonly string[],
    names: readonly string[],
    root: string,
    sync: boolean,
  ): Promise<number[]>;
  /** `fd` is open with O_DSYNC; positions grow and are multiples of 4096; zeros are written up to `growTo`. One outcome. */
  appendRecords(
    fd: number,
    positions: readonly number[],
    heads: readonly Uint8Array[],
    parts: readonly (readonly Uint8Array[])[],
    growTo: number,
  ): Promise<number[]>;
  /** Records, then files that are not synced. An outcome a file (1 where the target is there), then that of the records. */
  journalFiles(
    paths: readonly string[],
    targets: readonly string[],
    positions: readonly number[],
    heads: readonly Uint8Array[],
    parts: readonly (readonly Uint8Array[])[],
    fd: number,
    growTo: number,
  ): Promise<number[]>;
  recordChecksum(bytes: Uint8Array): bigint;
  /** One outcome. */
  syncFileSystem(path: string): Promise<number[]>;
  /** A negative errno or 0, bytes of the file, of its head, and from the position on: as many as `target` has left. */
  readPart(root: string, path: string, position: number, headBytes: number, target: Uint8Array): Promise<number[]>;
}
