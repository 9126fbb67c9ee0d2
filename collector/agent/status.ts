/** What an agent tells about itself, as `/livez` and the command line show it. Plain, and without secrets. */

import type { PeerId } from '#mesh/peer-id.ts';
import type { FolderView } from './folder-view.ts';
import type { OddityKind } from './oddities.ts';
import type { JournalFigures } from './ports.ts';
import type { RootCondition } from './share-root.ts';
import type { FileKind } from './share-table.ts';
import type { SpoolStats } from './spool.ts';

export type AgentPhase = 'stopped' | 'scanning' | 'watching' | 'silent';

export type OtherFileKind = Exclude<FileKind, 'immutable'> | OddityKind;

export interface AgentStatus {
  readonly peerId: PeerId;
  readonly phase: AgentPhase;
  /** While the folder is not `present` the peer is silent: it neither beats nor declares anything lost. */
  readonly folder: RootCondition;
  readonly incarnation: number;
  /** Number of the last inventory. */
  readonly generation: number;
  /** When the last inventory was written, or null. */
  readonly lastInventoryAtMs: number | null;
  readonly lastScanDurationMs: number | null;
  readonly shares: number;
  readonly shareBytes: number;
  readonly corruptShares: number;
  readonly verifiedShares: number;
  /** What stands in the folder and is no immutable share, by kind. */
  readonly otherFiles: Readonly<Record<OtherFileKind, number>>;
  /** Some of these, by their path in the share folder. */
  readonly otherFileExamples: readonly { readonly path: string; readonly kind: OddityKind }[];
  readonly collectorReachable: boolean;
  /** Another agent speaks with this peer's key, and is heard instead of this one. */
  readonly isDoubled: boolean;
  /** Code of the last failure of a post, or null. */
  readonly lastErrorCode: string | null;
  readonly spool: SpoolStats;
  readonly watches: number;
  /** Version of the central settings in use; 0 for none. */
  readonly settingsVersion: number;
  /** Where shares are served, or null. */
  readonly serving: { readonly host: string; readonly port: number } | null;
  /** Of the shares that are served; null where none are. */
  readonly journal: JournalFigures | null;
}

export function otherFilesOf({ table, oddities }: FolderView): Record<OtherFileKind, number> {
  return {
    mutable: table.countOf('mutable'),
    'half-written': table.countOf('half-written'),
    empty: table.countOf('empty'),
    unreadable: table.countOf('unreadable'),
    unknown: table.countOf('unknown'),
    ...oddities.counts(),
  };
}

/** Of an agent that does not run. */
export function stoppedStatus(peerId: PeerId): AgentStatus {
  return {
    peerId,
    phase: 'stopped',
    folder: 'missing',
    incarnation: 0,
    generation: 0,
    lastInventoryAtMs: null,
    lastScanDurationMs: null,
    shares: 0,
    shareBytes: 0,
    corruptShares: 0,
    verifiedShares: 0,
    otherFiles: {
      mutable: 0,
      'half-written': 0,
      empty: 0,
      unreadable: 0,
      unknown: 0,
      foreign: 0,
      link: 0,
      'folder-as-share': 0,
      'unreadable-folder': 0,
    },
    otherFileExamples: [],
    collectorReachable: false,
    isDoubled: false,
    lastErrorCode: null,
    spool: { batches: 0, bytes: 0, droppedBatches: 0, droppedInventories: 0, setAsideBatches: 0, damagedFiles: 0 },
    watches: 0,
    settingsVersion: 0,
    serving: null,
    journal: null,
  };
}
