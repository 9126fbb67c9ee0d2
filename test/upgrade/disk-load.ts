/**
 * What happens on the disks of peers while services are replaced: files come in, shares of older ones vanish. Each placement is made
 * once and taken away once at most, so that each change is one event that must be in the log.
 */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { writeContainerHeader } from '#tahoe/share/container.ts';
import { makeFile } from '#tahoe/share/example-shares.ts';

export interface LoadPeer {
  readonly id: PeerId;
  /** Holds `shares/`. */
  readonly storage: string;
}

/** As events are compared: `peer/storage index/share number/kind`. */
export type ChangeName = `${PeerId}/${StorageIndex}/${number}/${'stored' | 'lost'}`;

export const coding = { k: 2, n: 6 };
/** Small enough to come fast, and more than a cap could hold. */
const fileBytes = 200;

export class DiskLoad {
  readonly files: StorageIndex[] = [];
  /** What agents saw that ran meanwhile. */
  readonly seen = new Set<ChangeName>();
  /** Peers whose agent is away: what changes there now is found when it starts. */
  readonly away = new Set<PeerId>();
  readonly #peers: readonly LoadPeer[];
  readonly #random: Random;
  /** Of each file that has all of its shares. */
  readonly #whole: StorageIndex[] = [];
  #seed = 1000;

  constructor(peers: readonly LoadPeer[], random: Random) {
    this.#peers = peers;
    this.#random = random;
  }

  /** Share i on peer i. */
  async add(shape = coding, peers = this.#peers): Promise<StorageIndex> {
    this.#seed += 2;
    const { manifest, shares } = await makeFile({ ...shape, sizeBytes: fileBytes, seed: this.#seed });
    const file = manifest.storageIndex;
    for (const [number, data] of shares.entries()) {
      const peer = peers[number] as LoadPeer;
      const target = this.#pathOf(peer, file, number);
      await mkdir(join(target, '..'), { recursive: true });
      const incoming = join(peer.storage, `incoming-${file}-${number}`);
      await writeFile(incoming, Buffer.concat([writeContainerHeader(2, data.length), data]));
      await rename(incoming, target);
      this.#note(peer, file, number, 'stored');
    }
    this.files.push(file);
    if (shape === coding) this.#whole.push(file);
    return file;
  }

  /**
   * Takes so many shares away of a file that had all of them.
   * @param isRead whether the change is in the log: what comes and goes between two looks of an agent is no event.
   */
  async hurt(shares: number, isRead: (change: ChangeName) => boolean): Promise<StorageIndex | null> {
    const isSeen = (file: StorageIndex): boolean =>
      this.#peers.every(({ id }, number) => isRead(`${id}/${file}/${number}/stored`));
    const seen = this.#whole.filter(isSeen);
    const file = seen[Math.floor(this.#random() * seen.length)];
    if (file === undefined) return null;
    this.#whole.splice(this.#whole.indexOf(file), 1);
    for (let number = 0; number < shares; number++) {
      const peer = this.#peers[number] as LoadPeer;
      await rm(this.#pathOf(peer, file, number));
      this.#note(peer, file, number, 'lost');
    }
    return file;
  }

  #note(peer: LoadPeer, file: StorageIndex, number: number, kind: 'stored' | 'lost'): void {
    if (!this.away.has(peer.id)) this.seen.add(`${peer.id}/${file}/${number}/${kind}`);
  }

  #pathOf({ storage }: LoadPeer, file: StorageIndex, number: number): string {
    return join(storage, 'shares', file.slice(0, 2), file, String(number));
  }
}

/** What lies on the disks: by file, `share number/peer`, sorted. */
export async function disksOf(peers: readonly LoadPeer[]): Promise<ReadonlyMap<StorageIndex, readonly string[]>> {
  const found = new Map<StorageIndex, string[]>();
  for (const { id, storage } of peers) {
    const root = join(storage, 'shares');
    for (const prefix of await foldersIn(root)) {
      for (const file of await foldersIn(join(root, prefix))) {
        const numbers = (await readdir(join(root, prefix, file))).filter((name) => /^\d+$/.test(name));
        const held = found.get(file as StorageIndex) ?? [];
        found.set(file as StorageIndex, [...held, ...numbers.map((number) => `${number}/${id}`)].sort());
      }
    }
  }
  return found;
}

async function foldersIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
}
