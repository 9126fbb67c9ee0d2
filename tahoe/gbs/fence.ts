/**
 * Fencing of repairers that were replaced and do not know it yet. A request may carry `X-Meshward-Fence: <scope>:<generation>`;
 * the server remembers the highest generation of each scope, over restarts, and refuses smaller ones.
 * Requests without the header (Tahoe clients) are not fenced.
 */
import { constants } from 'node:fs';
import { type Disk, errorCodeOf, syncFolder } from './disk.ts';

export interface Fence {
  /** What is fenced, for example a partition: letters, digits and `._/-`, at most 64. */
  readonly scope: string;
  /** Grows each time that the scope gets a new owner. */
  readonly generation: number;
}

/** @returns null where the text is no fence. */
export function parseFence(text: string): Fence | null {
  const match = /^([A-Za-z0-9._/-]{1,64}):(\d{1,16})$/.exec(text.trim());
  if (match === null || !Number.isSafeInteger(Number(match[2]))) return null;
  return { scope: match[1] as string, generation: Number(match[2]) };
}

export function formatFence(fence: Fence): string {
  return `${fence.scope}:${fence.generation}`;
}

export interface FenceRegister {
  /** Whether `fence` is of the highest generation seen in its scope. A new highest one is on disk before this resolves. */
  admit(fence: Fence): Promise<boolean>;
  /** Whether a newer generation than this one has been admitted. */
  isOutdated(fence: Fence): boolean;
}

/**
 * @param folder where `fences.json` is kept.
 * @param maxScopes beyond this many, the scope that was not used for the longest time is forgotten (and no longer fenced).
 */
export async function openFenceRegister(options: {
  folder: string;
  disk: Disk;
  maxScopes: number;
}): Promise<FenceRegister> {
  const { folder, disk, maxScopes } = options;
  const path = `${folder}/fences.json`;
  // In order of use, oldest first.
  const highest = new Map<string, number>(await load(path, disk));
  let saving: Promise<void> = Promise.resolve();

  async function save(): Promise<void> {
    const text = Buffer.from(`${JSON.stringify(Object.fromEntries(highest))}\n`);
    const fd = await disk.open(`${path}.tmp`, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o644);
    try {
      await disk.write(fd, [text], 0);
      await disk.sync(fd);
    } finally {
      await disk.close(fd);
    }
    await disk.rename(`${path}.tmp`, path);
    await syncFolder(disk, folder);
  }

  function isOutdated(fence: Fence): boolean {
    return (highest.get(fence.scope) ?? 0) > fence.generation;
  }

  return {
    isOutdated,
    async admit(fence) {
      const known = highest.get(fence.scope);
      if (known !== undefined && fence.generation < known) return false;
      highest.delete(fence.scope);
      highest.set(fence.scope, fence.generation);
      if (known !== fence.generation) {
        if (highest.size > maxScopes) highest.delete(highest.keys().next().value as string);
        // One save after the other; a failure is for those who wait for it, the next save starts afresh.
        saving = saving.then(save, save);
      }
      await saving;
      return !isOutdated(fence);
    },
  };
}

async function load(path: string, disk: Disk): Promise<[string, number][]> {
  let text: string;
  try {
    const fd = await disk.open(path, constants.O_RDONLY);
    try {
      const { sizeBytes } = await disk.stat(fd);
      const bytes = Buffer.alloc(Math.min(sizeBytes, 4 * 1024 * 1024));
      await disk.read(fd, bytes, bytes.length, 0);
      text = bytes.toString('utf8');
    } finally {
      await disk.close(fd);
    }
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const entries = Object.entries(JSON.parse(text) as Record<string, unknown>);
  return entries.filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1]));
}
