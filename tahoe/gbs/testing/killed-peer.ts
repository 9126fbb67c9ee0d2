/** A peer in a process of its own (`peer-process.ts`), until it is killed; and what a power cut takes of what such processes wrote. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Random } from '#mesh/clock.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import { Nurl } from '../../identity/nurl.ts';
import { createStorageClient, type PeerClient, type StorageClient } from '../client.ts';
import type { StorageServerStats } from '../server.ts';
import { swissnum } from '../started-peer.ts';

const program = fileURLToPath(new URL('./peer-process.ts', import.meta.url));

export interface Ready {
  readonly peer: PeerClient;
  /** As they were before the first request. */
  readonly stats: StorageServerStats;
}

/** Of the files below a folder, those that the disk need not have after a power cut. Outlives the processes that write them. */
export class UnsyncedFiles {
  /** Whether the content was synced before the file got its name, so that the power cut takes all of it or nothing. */
  readonly #files = new Map<string, { readonly isWhole: boolean }>();
  readonly #placing = new Set<string>();
  #covered: readonly string[] = [];

  note(word: unknown, isSynced: unknown, paths: unknown): void {
    if (word === 'placing') {
      for (const path of paths as string[]) {
        this.#files.set(path, { isWhole: isSynced === true });
        this.#placing.add(path);
      }
    } else if (word === 'placed') {
      for (const path of paths as string[]) {
        this.#placing.delete(path);
        if (isSynced === true) this.#files.delete(path);
      }
    } else if (word === 'sync') {
      this.#covered = [...this.#files.keys()].filter((path) => !this.#placing.has(path));
    } else if (word === 'synced') {
      for (const path of this.#covered) this.#files.delete(path);
    }
  }

  /** What was on its way to its place is there or never will be. */
  processEnded(): void {
    this.#placing.clear();
  }

  /** @returns how many files are not any more what they were. */
  async powerCut(random: Random): Promise<number> {
    let hurt = 0;
    for (const [path, { isWhole }] of this.#files) {
      const sizeBytes = await stat(path).then(
        (status) => status.size,
        () => null,
      );
      const fate = random();
      if (sizeBytes === null || fate < 0.2) continue;
      hurt++;
      if (isWhole || fate < 0.6) {
        await rm(path);
        const folder = join(path, '..');
        if (random() < 0.5 && (await readdir(folder)).length === 0) await rm(folder, { recursive: true });
        continue;
      }
      await truncate(path, Math.floor(random() * sizeBytes));
      // The length may be on the disk without the bytes.
      if (fate < 0.8) await truncate(path, sizeBytes);
    }
    return hurt;
  }
}

export class KilledPeer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #heard: Promise<void>;
  readonly #ready = Promise.withResolvers<Ready | null>();
  readonly #client: StorageClient = createStorageClient();
  readonly failures: string[] = [];
  readonly #unsynced: UnsyncedFiles;
  #linesLeft = Number.POSITIVE_INFINITY;

  constructor(folder: string, maxJournalBytes: number, unsynced: UnsyncedFiles) {
    this.#child = spawn(process.execPath, [program, folder, String(maxJournalBytes)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdin.on('error', () => undefined); // it is gone
    this.#unsynced = unsynced;
    this.#heard = this.#listen();
  }

  /** Null where it was killed before. */
  get ready(): Promise<Ready | null> {
    return this.#ready.promise;
  }

  /** -9, as soon as it has said so many lines more. */
  killAfterLines(count: number): void {
    this.#linesLeft = count;
    if (count === 0) this.#child.kill('SIGKILL');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Resolves when it is gone and all that it said was heard. */
  async gone(): Promise<void> {
    await this.#heard;
    await this.#client.close();
  }

  async #listen(): Promise<void> {
    for await (const text of createInterface({ input: this.#child.stdout })) {
      const [word, first, second, third] = JSON.parse(text) as unknown[];
      this.#unsynced.note(word, first, second);
      if (word === 'failed') this.failures.push(String(first));
      if (word === 'ready') {
        const nurl = new Nurl(parsePeerId(String(first)), '127.0.0.1', Number(second), swissnum);
        this.#ready.resolve({ peer: this.#client.peer(nurl), stats: third as StorageServerStats });
      }
      if (--this.#linesLeft === 0) this.kill();
    }
    this.#unsynced.processEnded();
    this.#ready.resolve(null);
  }
}
