/**
 * Sends the manifests of files whose shares were known before this start, once in each incarnation: slowly, behind the inventory,
 * since it opens a share of every file. Manifests of new files go with their first share.
 */

import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { EventSink } from './events.ts';
import { inspectFile, manifestTag } from './inspect.ts';
import type { ShareRoot } from './share-root.ts';
import { corruptFlag, manifestFlag, type ShareTable } from './share-table.ts';

export interface ManifestFeedOptions {
  readonly table: ShareTable;
  readonly root: ShareRoot;
  readonly sink: EventSink;
  readonly clock: Clock;
  readonly log: Logger;
  /** Files in a row between two short rests. @default 64 */
  readonly burst?: number;
  /** @default 20 */
  readonly restMs?: number;
}

export class ManifestFeed {
  readonly #options: ManifestFeedOptions;
  readonly #stopping = new AbortController();
  #feeding: Promise<void> | null = null;
  #isWanted = false;

  constructor(options: ManifestFeedOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#feeding !== null;
  }

  /** Goes once over the table; where it does already, once more behind that. */
  start(): void {
    this.#isWanted = true;
    if (this.#feeding === null) this.#feedWhileWanted();
  }

  #feedWhileWanted(): void {
    if (!this.#isWanted || this.#stopping.signal.aborted) return;
    this.#isWanted = false;
    this.#feeding = feedManifests(this.#options, this.#stopping.signal)
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted)
          this.#options.log.warn({ error: describeError(error) }, 'the manifests of known files could not all be read');
      })
      .finally(() => {
        this.#feeding = null;
        this.#feedWhileWanted();
      });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#feeding;
  }
}

/** Resolves when every file with a sound share had its turn. */
async function feedManifests(options: ManifestFeedOptions, signal: AbortSignal): Promise<void> {
  const { table, root, sink, clock } = options;
  const burst = options.burst ?? 64;
  let opened = 0;
  for (let slot = 0; slot < table.slotLimit; slot++) {
    signal.throwIfAborted();
    if (!table.isUsed(slot) || table.kindOf(slot) !== 'immutable' || table.has(slot, corruptFlag)) continue;
    const key = table.storageIndexOf(slot);
    if (isSent(table, key)) continue;
    const shareNumber = table.numberOf(slot);
    const storageIndex = storageIndexFromBytes(key);
    const path = `${root.path}/${storageIndex.slice(0, 2)}/${storageIndex}/${shareNumber}`;
    const file = await inspectFile(path, storageIndex);
    await sink.room();
    const same = table.find(key, shareNumber);
    if (same >= 0 && file?.manifest && !isSent(table, key)) {
      // A share that tells another story than when it was first seen is the verifier's to judge.
      const known = table.manifestTagOf(same);
      if (known === 0 || known === manifestTag(file.manifest)) {
        sink.manifest(file.manifest);
        table.set(same, manifestFlag, true);
      }
    }
    if (++opened % burst === 0) await sleep(clock, options.restMs ?? 20, signal);
  }
}

function isSent(table: ShareTable, key: Uint8Array): boolean {
  for (let slot = table.firstOf(key); slot >= 0; slot = table.nextOf(slot))
    if (table.has(slot, manifestFlag)) return true;
  return false;
}
