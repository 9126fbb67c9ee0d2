/** What the HTTP API answers, as far as the page shows it. */
import type { Grade, PeerState } from './live.ts';

export interface FreshnessAnswer {
  readonly state: 'fresh' | 'stale';
  readonly asOfMs: number;
  readonly reasons: readonly string[];
}

export interface FileAnswer {
  readonly storageIndex: string;
  readonly k: number;
  readonly n: number;
  readonly sizeBytes: number;
  readonly policy: string;
  readonly tag: string;
  readonly recoverableNow: boolean;
  readonly available: number;
  readonly counted: number;
  readonly retained: number;
  readonly corrupt: number;
  readonly margin: number;
  readonly grade: Grade;
  readonly settling: boolean;
  readonly tolerancePeers: number;
  readonly toleranceDomains: Readonly<Record<string, number>>;
  readonly repairBelow: number;
  readonly repairUpTo: number;
  readonly onAtRiskList: boolean;
  readonly repair?: { readonly tries: number; readonly errorMessage: string; readonly nextTryAtMs: number | null };
  readonly cause: string;
  readonly freshness: FreshnessAnswer;
}

export interface Placement {
  readonly shareNumber: number;
  readonly peerId: string;
  readonly peerName: string;
  readonly peerState: PeerState;
  readonly available: boolean;
  readonly corrupt: boolean;
  readonly counted?: boolean;
  readonly domains?: Readonly<Record<string, string>>;
  readonly silenceMs?: number | null;
  readonly verifiedRatio?: number | null;
  readonly why?: string;
}

export interface FileDetail extends FileAnswer {
  readonly placements: readonly Placement[];
  readonly unheldShares?: readonly number[];
  readonly repairState?: string;
  readonly repairWhy?: string;
}

export interface FileList {
  readonly files: readonly FileAnswer[];
  readonly total: number;
}

export interface ProofList {
  readonly proofs: readonly {
    readonly outcome: string;
    readonly atMs: number;
    readonly shares: number;
    readonly errorCode: string;
  }[];
}

export interface PeerAnswer {
  readonly peerId: string;
  readonly name: string;
  readonly state: PeerState;
  readonly domains: Readonly<Record<string, string>>;
  readonly silenceMs: number | null;
  readonly graceMs: number;
  readonly flapScore: number;
  readonly capacityBytes: number;
  readonly freeBytes: number | null;
  readonly shares: number;
  readonly shareBytes: number;
  readonly sharesVerified: number;
  readonly agentVersion: string;
  readonly unreachableMs?: number | null;
}

export interface PeerList {
  readonly peers: readonly PeerAnswer[];
  readonly total: number;
}

export interface AlertAnswer {
  readonly id: string;
  readonly key: string;
  readonly alert: string;
  readonly severity: 'page' | 'warning';
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly meaning: string;
  readonly next: string;
  readonly command: string;
  readonly files: number;
  readonly bytes: number;
  readonly timeLeft: string;
  readonly repair: string;
  readonly sinceMs: number;
  readonly silenced: string;
  readonly acknowledged: string;
  readonly runbookUrl: string;
}

export interface Silence {
  readonly id: string;
  readonly selector: string;
  readonly untilMs: number;
  readonly why: string;
  readonly by: string;
  readonly isActive: boolean;
  readonly endedBy: string;
}

export interface AlertChange {
  readonly id: string;
  readonly alert: string;
  readonly severity: string;
  readonly state: 'firing' | 'resolved';
  readonly summary: string;
  readonly atMs: number;
}

export interface ExposureAnswer {
  readonly atMs: number;
  readonly files: number | null;
  readonly kinds: readonly {
    readonly kind: string;
    readonly count: number;
    readonly domains: readonly {
      readonly domain: string;
      readonly peers: readonly { readonly state: PeerState; readonly peers: number }[];
      readonly filesBelowK: number;
      readonly filesBelowRepair: number;
    }[];
  }[];
  readonly peers: readonly {
    readonly peerId: string;
    readonly name: string;
    readonly filesBelowK: number;
    readonly filesBelowRepair: number;
  }[];
}

export interface ResilienceAnswer {
  readonly files: number;
  readonly peers: number;
  readonly anyPeers: number;
  readonly points: readonly { readonly lost: number; readonly expectedFiles: number; readonly worstFiles: number }[];
  readonly at: {
    readonly lost: number;
    readonly expectedFiles: number;
    readonly expectedBytes: number;
    readonly worstFiles: number;
  };
  readonly domains: readonly {
    readonly kind: string;
    readonly domains: number;
    readonly worst: readonly { readonly lost: number; readonly files: number }[];
  }[];
}

export interface CampaignSummary {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly description: string;
  readonly createdAtMs: number;
  readonly plannedFiles: number;
  readonly files: number;
}

export interface CampaignAnswer extends CampaignSummary {
  readonly needsApproval: boolean;
  readonly plan: {
    readonly files: number;
    readonly filesToRepair: number;
    readonly sharesToWrite: number;
    readonly bytesRead: number;
    readonly bytesWritten: number;
    readonly duration: { readonly leastMs: number; readonly mostMs: number } | null;
  };
  readonly steps: readonly {
    readonly revision: number;
    readonly what: string;
    readonly operatorId: string;
    readonly operatorName: string;
    readonly why: string;
    readonly atMs: number;
  }[];
  readonly totals: {
    readonly files: number;
    readonly outcomes: readonly { readonly outcome: string; readonly errorCode: string; readonly files: number }[];
    readonly sharesWritten: number;
    readonly bytesRead: number;
    readonly bytesWritten: number;
    readonly inFlight: number;
    readonly waits: readonly { readonly reason: string; readonly parts: number }[];
  };
  readonly runningMs: number;
}

export interface ScheduleList {
  readonly schedules: readonly {
    readonly name: string;
    readonly description: string;
    readonly calendar: string;
    readonly timeZone: string;
    readonly nextMs: readonly number[];
  }[];
}
