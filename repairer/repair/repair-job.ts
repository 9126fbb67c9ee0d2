/** What one repair is asked for, and what it tells of itself while it runs. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { Fence } from '#peers/peer-storage.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import type { Look } from './look.ts';

export interface RepairJob {
  readonly id: string;
  readonly entry: AtRiskEntry;
  /** Left out where nobody else works on the file: a person's own repair. */
  readonly fence?: Fence | undefined;
  /** Restores just these, and not as many as the policy asks for. */
  readonly wanted?: readonly number[] | undefined;
  /** Does not wait for the budget. */
  readonly urgent: boolean;
  /** Shares that an earlier repair wrote, which the entry may not show yet. */
  readonly placed: readonly PlacedShare[];
  /** How closely the file is looked at before. @default all */
  readonly look?: Look;
  /** Of a repair that places elsewhere what is there. */
  readonly moves?: ShareMoves;
  readonly signal: AbortSignal;
}

export interface ShareMoves {
  /** The share is to be elsewhere: it is copied from, and does not count. */
  leaves(share: PlacedShare): boolean;
  /** The peer is not to take any. */
  avoids(peerId: PeerId): boolean;
}

export type RepairPhase = 'checking' | 'opening' | 'allocating' | 'transferring' | 'verifying';

export interface RepairProgress {
  readonly phase: RepairPhase;
  readonly wanted: readonly number[];
  readonly sources: readonly PeerId[];
  readonly targets: readonly PeerId[];
  readonly sharesDone: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}
