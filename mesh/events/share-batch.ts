/** What a record of `share-events` says, as values: one peer's batch in columns, and the files that it names. */
import type { EventOrder } from '../incarnation.ts';
import type { Manifest } from '../manifest.ts';
import type { PeerId } from '../peer-id.ts';

export type ManifestOrigin = 'owner' | 'derived';

export interface FileRegistration {
  readonly manifest: Manifest;
  readonly origin: ManifestOrigin;
  readonly tag: string;
}

/** Event kinds as they stand in the column. */
export const eventKinds = { stored: 1, verified: 2, lost: 3, corrupt: 4 } as const;

/** A batch of one peer, columns as they came over the wire. */
export interface PeerBatch extends EventOrder {
  readonly peer: PeerId;
  /** 16 × count bytes. */
  readonly storageIndexes: Uint8Array;
  readonly shareNumbers: Uint8Array;
  readonly kinds: Uint8Array;
  readonly registrations: readonly FileRegistration[];
  /** 16 × count bytes. */
  readonly deletedFiles: Uint8Array;
  readonly inventory: { readonly phase: 'begin' | 'end'; readonly generation: number } | null;
}

/** A reader asked a peer for a share that it says to hold, and what came was not that share. */
export interface ShareFinding {
  readonly storageIndex: Uint8Array;
  readonly peer: PeerId;
  readonly shareNumber: number;
  readonly reader: string;
  readonly reason: string;
}
