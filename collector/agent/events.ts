/** What the scanner, the watcher and the verifier have to say, before it becomes a batch. */
import { ShareEventKind } from '#mesh/generated/events_pb.js';
import type { Manifest } from '#mesh/manifest.ts';

export type ShareChange = 'stored' | 'verified' | 'lost' | 'corrupt';

export const kindOfChange: Readonly<Record<ShareChange, ShareEventKind>> = {
  stored: ShareEventKind.STORED,
  verified: ShareEventKind.VERIFIED,
  lost: ShareEventKind.LOST,
  corrupt: ShareEventKind.CORRUPT,
};

/** How soon it must be told: what changes the picture of the mesh at once, what only says that all is as it was in its time. */
export type Urgency = 'soon' | 'later';

/** Takes what happened, in order. Neither call waits; {@link EventSink.room} does. */
export interface EventSink {
  /** @param urgency @default soon */
  share(storageIndex: Uint8Array, shareNumber: number, change: ShareChange, urgency?: Urgency): void;
  manifest(manifest: Manifest): void;
  /** Resolves when more may be said: holds a producer back that is faster than the disk. */
  room(): Promise<void>;
}
