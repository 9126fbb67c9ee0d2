/**
 * Empties draining peers: what only they have is copied elsewhere, file by file, when no repair is waiting for its turn. The store
 * says what is left; whatever a process did before it died is simply not left any more.
 */
import { randomUUID } from 'node:crypto';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { policyFor } from '#mesh/policy.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { Fence } from '#peers/peer-storage.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import { ownEntry } from '../queue/own-entry.ts';
import { startRepair } from '../repair/repair.ts';
import type { RepairReport } from '../repair/repair-report.ts';
import type { RepairTools } from '../repair/tools.ts';
import type { DrainStore, LeavingFile } from './leaving-files.ts';

export interface DrainsOptions {
  readonly store: DrainStore;
  readonly tools: RepairTools;
  /** The partitions that are ours, each with its fence. */
  readonly owned: () => ReadonlyMap<number, Fence>;
  /** How many copies may run now: none while repairs need the room. */
  readonly room: () => number;
  readonly isBusyWith: (storageIndex: StorageIndex) => boolean;
  /** A campaign empties the peer, or stands still and is to go on: nothing is done beside it. */
  readonly isLeftToCampaigns: (peerId: PeerId) => boolean;
  readonly ended: (report: RepairReport) => Promise<void>;
  readonly logger: Logger;
}

export interface DrainState {
  readonly peers: readonly PeerId[];
  /** Share numbers that only they have, in the partitions of this repairer, as of the last look; null before it. */
  readonly sharesLeft: number | null;
  readonly sharesMoved: number;
  /** Files whose last try failed. */
  readonly failingFiles: number;
}

const everyMs = 5_000;
const sharesALook = 500;
/** A file that was copied rests until the store may know of it; one that failed rests longer each time. */
const restMs = 30_000;
const longestRestMs = 3_600_000;
const mostResting = 100_000;

interface Rest {
  readonly untilMs: number;
  readonly failures: number;
}

export class Drains {
  readonly #options: DrainsOptions;
  readonly #resting = new Map<StorageIndex, Rest>();
  readonly #moving = new Set<StorageIndex>();
  readonly #stop = new AbortController();
  #state: DrainState = { peers: [], sharesLeft: null, sharesMoved: 0, failingFiles: 0 };
  #callOff: () => void = () => undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  get state(): DrainState {
    return { ...this.#state, failingFiles: [...this.#resting.values()].filter((rest) => rest.failures > 0).length };
  }

  isWorkingOn(storageIndex: StorageIndex): boolean {
    return this.#moving.has(storageIndex);
  }

  start(): void {
    this.#callOff = this.#options.tools.runtime.clock.after(everyMs, () => {
      this.#looking = this.#look()
        .catch((error: unknown) => {
          this.#options.logger.warn({ error: describeError(error) }, 'what draining peers hold could not be looked up');
        })
        .finally(() => {
          if (!this.#stop.signal.aborted) this.start();
        });
    });
  }

  async stop(): Promise<void> {
    this.#callOff();
    this.#stop.abort(
      new MeshwardError('cancelled', 'the repairer is stopping', {
        next: 'Nothing needs doing: the peer is emptied when one runs again.',
      }),
    );
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { tools, store, owned, room, isLeftToCampaigns } = this.#options;
    const peers = tools.mesh.peerView
      .facts()
      .flatMap(({ peerId, state }) => (state === 'draining' && !isLeftToCampaigns(peerId) ? [peerId] : []));
    const partitions = [...owned().keys()];
    if (peers.length === 0 || partitions.length === 0) {
      this.#state = { ...this.#state, peers, sharesLeft: peers.length === 0 ? null : this.#state.sharesLeft };
      if (peers.length === 0) this.#resting.clear();
      return;
    }
    const { files, sharesLeft } = await store.find(peers, partitions, sharesALook);
    this.#state = { ...this.#state, peers, sharesLeft };
    const nowMs = tools.runtime.clock.nowMs();
    const due = files.filter(({ manifest }) => (this.#resting.get(manifest.storageIndex)?.untilMs ?? 0) <= nowMs);
    const work = async (): Promise<void> => {
      for (let file = due.shift(); file !== undefined; file = due.shift()) {
        if (room() === 0 || this.#stop.signal.aborted) return;
        await this.#move(file);
      }
    };
    await Promise.all(Array.from({ length: Math.min(room(), due.length) }, work));
  }

  async #move(file: LeavingFile): Promise<void> {
    const { tools, owned, isBusyWith, ended } = this.#options;
    const { storageIndex } = file.manifest;
    const fence = owned().get(file.partition);
    if (fence === undefined || isBusyWith(storageIndex)) return;
    const { report } = startRepair(
      {
        id: randomUUID(),
        entry: this.#entryOf(file),
        fence,
        wanted: file.leaving,
        urgent: false,
        placed: [],
        signal: this.#stop.signal,
      },
      tools,
    );
    this.#moving.add(storageIndex);
    const done = await report.finally(() => this.#moving.delete(storageIndex));
    this.#note(storageIndex, done);
    if (done.ending !== 'not-needed') await ended(done);
  }

  #note(storageIndex: StorageIndex, { ending, written, found }: RepairReport): void {
    this.#state = { ...this.#state, sharesMoved: this.#state.sharesMoved + written.length + found.length };
    const isDone = ending === 'repaired' || ending === 'not-needed';
    const failures = isDone ? 0 : (this.#resting.get(storageIndex)?.failures ?? 0) + 1;
    const forMs = Math.min(longestRestMs, restMs * 2 ** Math.min(20, Math.max(0, failures - 1)));
    this.#resting.delete(storageIndex);
    this.#resting.set(storageIndex, { untilMs: this.#options.tools.runtime.clock.nowMs() + forMs, failures });
    // The oldest is tried again early: it costs a look.
    if (this.#resting.size > mostResting) this.#resting.delete(this.#resting.keys().next().value as StorageIndex);
  }

  #entryOf({ manifest, tag, placements, leaving }: LeavingFile): AtRiskEntry {
    const { mesh, policies, runtime } = this.#options.tools;
    return ownEntry({
      manifest,
      tag,
      policy: policyFor(policies, manifest, tag),
      placements,
      stateOf: (peerId) => mesh.peerView.fact(peerId)?.state ?? 'down',
      cause: `${leaving.length === 1 ? '1 share' : `${leaving.length} shares`} on draining peers only`,
      nowMs: runtime.clock.nowMs(),
    });
  }
}
