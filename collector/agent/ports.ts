/** What the agent needs from outside. `cli/` and `demo/` hand in the real ones, tests hand in their own. */
import type { Manifest } from '#mesh/manifest.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';

/** The way to the collector, as this peer. */
export interface CollectorPort {
  /**
   * Resolves once the collector has taken the post durably. The same post may come twice; the collector's readers drop the second.
   *
   * @param body a serialised AgentPost.
   * @throws MeshwardError: `retryable` says whether the same post may be taken later, `details.retryAfterMs` when at the earliest.
   */
  post(body: Uint8Array, signal: AbortSignal): Promise<void>;
  /** What the operators set centrally for this peer; null where that is as this agent knows it. */
  settings?(knownVersion: number, knownInventoryRequest: number): Promise<CentralSettings | null>;
  /** Tells where the shares are served: a NURL, which holds a secret. @returns whether that was news. */
  changeAddress?(nurl: string): Promise<boolean>;
}

export interface CentralSettings {
  readonly heartbeatMs: number;
  readonly inventoryIntervalS: number;
  /** 0 never checks. */
  readonly verifyBytesPerSecond: number;
  /** 0 is unlimited. */
  readonly serveBytesPerSecond: number;
  /** 1 is what an enrolment begins with: nobody chose it, so the agent's own configuration holds. */
  readonly version: number;
  /** Counts the inventories that operators asked for; collectors of earlier releases do not say it. */
  readonly inventoryRequest?: number;
  /** The highest incarnation that this peer was heard under; collectors of earlier releases do not say it. */
  readonly lastIncarnation?: number;
}

/** A share whose content was checked. */
export interface CheckedShare {
  readonly manifest: Manifest;
}

export interface ShareToCheck {
  readonly path: string;
  readonly storageIndex: StorageIndex;
  readonly shareNumber: number;
}

/**
 * Checks every block and hash of the share in a file by what its UEB states.
 *
 * @param paid waits until this many bytes may be read.
 * @returns null where the file is not there any more.
 * @throws MeshwardError of a share error code where the share is bad.
 */
export type CheckShare = (
  share: ShareToCheck,
  paid: (bytes: number) => Promise<void>,
  signal: AbortSignal,
) => Promise<CheckedShare | null>;

/** Of what makes small shares durable before their files are synced (docs/decisions/share-journal.md). */
export interface JournalFigures {
  /** False where every share is synced by itself. */
  readonly isJournalUsed: boolean;
  /** Of records of shares whose files are not known to be on the disk. */
  readonly journalBytes: number;
  readonly maxJournalBytes: number;
  /** 0 where nothing waits for a sync. */
  readonly oldestRecordAgeMs: number;
  /** Since the start. */
  readonly sharesJournalled: number;
  /** Short shares that were synced by themselves since the start: no room in it, or it could not be written. */
  readonly sharesBypassed: Readonly<Record<'full' | 'unwritten', number>>;
  /** At the start: the system had gone down before their files were on the disk. */
  readonly sharesPutBack: number;
}

/** The server that gives this peer's shares to whoever holds its capability. */
export interface ShareServer {
  readonly port: number;
  journal?(): JournalFigures;
  /** A share is not in the folder any more: it is not to come back after a crash. */
  removed?(storageIndex: StorageIndex, shareNumber: number): Promise<void>;
  /** 0 lifts the limit. */
  setBytesPerSecond?(bytesPerSecond: number): void;
  close(): Promise<void>;
}

/** What changed in the folder through the server itself: known at once, without watching. */
export interface ServedChange {
  readonly storageIndex: StorageIndex;
  /** The share that a reader, or the server itself, found bad; its size and time may be what they were. */
  readonly reportedShare?: number;
}

export type StartShareServer = (options: {
  readonly storageFolder: string;
  readonly host: string;
  readonly port: number;
  readonly swissnum: string;
  readonly onChange: (change: ServedChange) => void;
}) => Promise<ShareServer>;
