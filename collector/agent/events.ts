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

/** Takes what happened, in order. Neither call waits; {@link EventSink.room} does. */
export interface EventSink {
  share(storageIndex: Uint8Array, shareNumber: number, change: ShareChange): void;
  manifest(manifest: Manifest): void;
  /** Resolves when more may be said: holds a producer back that is faster than the disk. */
  room(): Promise<void>;
}
