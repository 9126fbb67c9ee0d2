/** The log as retention would leave it: of share-events only what is at these offsets and after them. */
import type { EventLog } from '#log/port.ts';
import type { TestMesh } from './mesh.ts';

export function truncatedTo({ log, topics }: TestMesh, firstOffsets: readonly number[]): EventLog {
  return new Proxy(log, {
    get(target, name) {
      if (name !== 'bounds') return (target[name as keyof typeof target] as (...args: never[]) => unknown).bind(target);
      return async (topic: string) => {
        const bounds = await target.bounds(topic);
        if (topic !== topics.shareEvents.name) return bounds;
        return bounds.map((bound, partition) => ({ ...bound, firstOffset: firstOffsets[partition] ?? 0 }));
      };
    },
  });
}
