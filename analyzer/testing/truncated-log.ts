/** The log as retention would leave it: of share-events only what is at these offsets and after them. */
import type { EventLog } from '#log/port.ts';
import { changedLog } from './changed-log.ts';
import type { TestMesh } from './mesh.ts';

export function truncatedTo({ log, topics }: TestMesh, firstOffsets: readonly number[]): EventLog {
  return changedLog(log, {
    async bounds(topic) {
      const bounds = await log.bounds(topic);
      if (topic !== topics.shareEvents.name) return bounds;
      return bounds.map((bound, partition) => ({ ...bound, firstOffset: firstOffsets[partition] ?? 0 }));
    },
  });
}
