/** What the API tells of the past. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { LeavingCounts } from '#store/queries/drain.ts';
import type { Exposure } from '#store/queries/health.ts';
import type { DomainGroup, ShareGroup } from '#store/queries/resilience.ts';
import type * as schemas from './schemas.ts';

/** Histories, which only the store has. */
export interface HistoryQueries {
  repairs(limit: number): Promise<readonly schemas.RepairAnswer[]>;
  proofs(limit: number, storageIndex: string | null): Promise<readonly schemas.ProofAnswer[]>;
  /** Share numbers of which every copy that counts is on this peer. */
  leaving(peer: PeerId): Promise<LeavingCounts>;
  /** Files by margin over time, oldest first: one entry a moment. */
  marginHistory(sinceMs: number): Promise<readonly MarginMoment[]>;
  /** What the loss of each domain and of the worst peers would do, the worst first. */
  exposure(): Promise<readonly Exposure[]>;
  /** Every file, in groups that are alike. Costs a look at all of them. */
  fileGroups(): Promise<FileGroups>;
}

export interface FileGroups {
  readonly shares: readonly ShareGroup[];
  readonly domains: readonly DomainGroup[];
}

export interface MarginMoment {
  readonly atMs: number;
  readonly files: readonly (readonly [margin: number, files: number])[];
}
