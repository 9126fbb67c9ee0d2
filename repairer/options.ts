/** What a repairer is made of: the list it works off, the mesh around it, what it writes to, and who gives it orders. */
import type { Meter, Tracer } from '@opentelemetry/api';
import type { EventLog } from '#log/port.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PolicyRule } from '#mesh/policy.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { MeshAccess } from '#peers/mesh-access.ts';
import type { CampaignHost } from './campaigns/ports.ts';
import type { DrainStore } from './drain/leaving-files.ts';
import type { SampleStore } from './probes/samples.ts';
import type { AuditWriter } from './repair/lanes.ts';
import type { RepairRuntime, RepairSettings } from './repair/tools.ts';

export interface RepairerOptions {
  readonly list: ListOptions;
  readonly config: Config['repairer'];
  readonly policies: readonly PolicyRule[];
  readonly mesh: Pick<MeshAccess, 'directory' | 'peerView' | 'contact' | 'transfer' | 'words'>;
  readonly store: RepairerStore;
  readonly runtime: RepairRuntime;
  readonly telemetry: RepairerTelemetry;
  readonly tuning?: RepairerTuning;
  /** What operators and calendars say, and campaigns beside what is on the list. */
  readonly orders?: RepairOrders;
}

export interface RepairOrders {
  /** What an operator says of the brake at this moment; null where nobody says anything. */
  brakeWord(): { readonly says: 'hold' | 'release'; readonly why: string; readonly by: string } | null;
  /** Whether files that are not critical may be repaired at this time of day. */
  isWindowOpen(): boolean;
  /** Whether a campaign that is not over empties the peer. */
  isLeaving(peerId: PeerId): boolean;
  /** Does campaigns beside what is on the list. */
  campaigns(host: CampaignHost): CampaignsBeside;
}

export interface CampaignsBeside {
  start(): void;
  /** Whether a campaign works on the file at this moment. */
  isWorkingOn(storageIndex: StorageIndex): boolean;
  /** Partitions were taken away. */
  revoked(): Promise<void>;
  stop(): Promise<void>;
}

export interface RepairerStore {
  readonly writer: AuditWriter;
  readonly drains: DrainStore;
  readonly samples: SampleStore;
}

/** The at-risk list in the log. */
export interface ListOptions {
  readonly log: EventLog;
  /** Name of the topic `at-risk`. */
  readonly topic: string;
  /** The consumer group that shares its partitions. @default 'repairers' */
  readonly group?: string;
}

export interface RepairerTelemetry {
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly logger: Logger;
}

export interface RepairerTuning {
  /** How often the peers' states are looked at. @default 5000 */
  readonly peersEveryMs?: number;
  readonly settings?: Partial<RepairSettings>;
}
