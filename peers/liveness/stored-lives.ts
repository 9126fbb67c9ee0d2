/** Peers' lives as an analyzer stores them now and then, and whoever follows peer-events goes on from. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { LogMoment } from './log-time.ts';
import type { PeerLife } from './peer-liveness.ts';

/** How far a partition of peer-events is in the lives, and its time there. */
export interface LivenessMark extends LogMoment {
  readonly nextOffset: number;
}

export interface StoredLiveness {
  /** By partition of peer-events; empty where nothing is stored. */
  readonly marks: readonly LivenessMark[];
  readonly lives: ReadonlyMap<PeerId, PeerLife>;
}

export const nothingStored: StoredLiveness = { marks: [], lives: new Map() };

export interface StoredMarkRow extends LivenessMark {
  readonly partition: number;
}

export interface StoredLifeRow {
  readonly peerId: PeerId;
  readonly life: string;
}

export function storedLiveness(marks: readonly StoredMarkRow[], lives: readonly StoredLifeRow[]): StoredLiveness {
  const byPartition: LivenessMark[] = [];
  for (const { partition, nextOffset, watermarkMs, elapsedMs } of marks) {
    byPartition[partition] = { nextOffset, watermarkMs, elapsedMs };
  }
  return {
    marks: byPartition,
    lives: new Map(lives.map(({ peerId, life }) => [peerId, JSON.parse(life) as PeerLife])),
  };
}
