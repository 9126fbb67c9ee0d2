/** What the API tells of the past. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { LeavingCounts } from '#store/queries/drain.ts';
import type * as schemas from './schemas.ts';

/** Histories, which only the store has. */
export interface HistoryQueries {
  repairs(limit: number): Promise<readonly schemas.RepairAnswer[]>;
  proofs(limit: number, storageIndex: string | null): Promise<readonly schemas.ProofAnswer[]>;
  /** Share numbers of which every copy that counts is on this peer. */
  leaving(peer: PeerId): Promise<LeavingCounts>;
  /** Files by margin over time, oldest first: one entry a moment. */
  marginHistory(sinceMs: number): Promise<readonly MarginMoment[]>;
}

export interface MarginMoment {
  readonly atMs: number;
  readonly files: readonly (readonly [margin: number, files: number])[];
}
