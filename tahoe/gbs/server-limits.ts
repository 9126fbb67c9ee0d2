/** How much a storage server takes on, whatever clients ask of it. */

export interface StorageServerLimits {
  /** Connections at once; further ones are closed. @default 256 */
  readonly maxConnections: number;
  /** Shares being uploaded at once; further ones are not allocated. @default 4096 */
  readonly maxUploads: number;
  /** Bytes of shares that came in one exchange each and are not on the disk yet; further ones are refused for now. @default 64 MiB */
  readonly maxWholeShareBytes: number;
  /** Of records of shares whose files are not synced yet (`share-journal.ts`); below 4 MiB every share is synced by itself. @default 32 MiB */
  readonly maxJournalBytes: number;
  /** Largest share that is taken. @default 1 TiB */
  readonly maxShareBytes: number;
  /** Space that stays free on the disk. @default 64 MiB */
  readonly reservedDiskBytes: number;
  /** Files kept open between reads. @default 32 */
  readonly maxOpenFiles: number;
  /** Corruption advisories kept on disk; further ones are counted and dropped. @default 1000 */
  readonly maxAdvisories: number;
  /** Scopes whose fence is remembered. @default 1024 */
  readonly maxFenceScopes: number;
  /** An upload that gets no bytes for so long is dropped. @default 30 min */
  readonly uploadSilenceMs: number;
  /** A client must have sent its request's headers by then. @default 10 s */
  readonly headersTimeoutMs: number;
  /** A client must have sent its whole request by then. @default 10 min */
  readonly requestTimeoutMs: number;
  /** A connection on which nothing moves for so long, in the midst of a request or between two, is closed. @default 75 s */
  readonly idleConnectionMs: number;
}

export const defaultStorageServerLimits: StorageServerLimits = {
  maxConnections: 256,
  maxUploads: 4096,
  maxWholeShareBytes: 64 * 1024 * 1024,
  maxJournalBytes: 32 * 1024 * 1024,
  maxShareBytes: 2 ** 40,
  reservedDiskBytes: 64 * 1024 * 1024,
  maxOpenFiles: 32,
  maxAdvisories: 1000,
  maxFenceScopes: 1024,
  uploadSilenceMs: 30 * 60 * 1000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 600_000,
  idleConnectionMs: 75_000,
};
