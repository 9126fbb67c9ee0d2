/** What clients report about damaged shares: one text file each in `corruption-advisories/`, as Tahoe keeps them. */
import { constants } from 'node:fs';
import type { Clock } from '#mesh/clock.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { Disk } from './disk.ts';

export interface Advisories {
  /** Keeps the advisory, or counts it as dropped where there are too many. */
  add(index: StorageIndex, shareNumber: number, reason: string): Promise<void>;
  droppedCount(): number;
}

export async function openAdvisories(options: {
  folder: string;
  disk: Disk;
  clock: Clock;
  maxFiles: number;
}): Promise<Advisories> {
  const { folder, disk, clock, maxFiles } = options;
  let kept = (await disk.list(folder)).length;
  let dropped = 0;
  return {
    droppedCount: () => dropped,
    async add(index, shareNumber, reason) {
      if (kept >= maxFiles) {
        dropped++;
        return;
      }
      const at = new Date(clock.nowMs()).toISOString();
      kept++;
      const path = `${folder}/${at.replaceAll(':', '')}--${index}-${shareNumber}-${kept}`;
      const text = `report: Share Corruption\ntype: immutable\nstorage_index: ${index}\nshare_number: ${shareNumber}\n\n${reason}\n\n`;
      const fd = await disk.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
      try {
        await disk.write(fd, [Buffer.from(text)], 0);
      } finally {
        await disk.close(fd);
      }
    },
  };
}
