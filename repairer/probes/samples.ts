/**
 * Claims are sampled: now and then a share that a peer says to hold is drawn at random and read, its chain of hashes and one block,
 * against the manifest of its file. What is not there or not sound is told of, and counts by itself.
 */
import { type Clock, type Random } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PeerFact } from '#peers/peer-view.ts';
import type { ReaderWords } from '#peers/reader-words.ts';
import type { WorkTransfer } from '#peers/transfer.ts';
import type { Store } from '#store/client.ts';
import { type SampledShare, sampleShares } from '#store/queries/samples.ts';
import { placementsOfFile } from '#store/queries/share-map.ts';
import { checkedSample } from '../repair/read-back.ts';

export interface SampleStore {
  draw(partitions: readonly number[], count: number): Promise<readonly SampledShare[]>;
  isClaimed(share: SampledShare): Promise<boolean>;
}

export function sampleStoreOn(store: Store): SampleStore {
  return {
    draw: (partitions, limit) => sampleShares(store, { partitions, limit }),
    async isClaimed({ storageIndex, shareNumber, peerId }) {
      const placements = await placementsOfFile(store, storageIndex);
      return placements.some(
        (row) => row.shareNumber === shareNumber && row.peerId === peerId && row.state === 'stored',
      );
    },
  };
}

export interface SamplesOptions {
  readonly store: SampleStore;
  readonly partitions: () => readonly number[];
  readonly factOf: (peerId: PeerId) => Pick<PeerFact, 'state' | 'doubtedMs'> | undefined;
  readonly transfer: WorkTransfer;
  readonly words: Pick<ReaderWords, 'found' | 'claims'>;
  readonly tell: (outcome: SampleOutcome) => void;
  readonly by: { readonly clock: Clock; readonly random: Random; readonly logger: Logger };
  /** 0 draws none. */
  readonly perMinute: number;
}

export const sampleOutcomes = ['held', 'absent', 'corrupt', 'unanswered'] as const;
export type SampleOutcome = (typeof sampleOutcomes)[number];

const sharesADraw = 16;
/** A share that is not there may have gone since it was claimed: it is asked for again when that would be known. */
const recheckAfterMs = 60_000;
const mostRechecks = 200;

interface Recheck {
  readonly share: SampledShare;
  readonly dueAtMs: number;
}

export class Samples {
  readonly #options: SamplesOptions;
  #drawn: SampledShare[] = [];
  readonly #rechecks: Recheck[] = [];
  #callOff: () => void = () => undefined;
  #stopped = false;
  #checking: Promise<void> = Promise.resolve();

  constructor(options: SamplesOptions) {
    this.#options = options;
  }

  start(): void {
    const { perMinute, by } = this.#options;
    if (perMinute === 0) return;
    this.#callOff = by.clock.after(60_000 / perMinute, () => {
      this.#checking = this.#step()
        .catch((error: unknown) => by.logger.warn({ error: describeError(error) }, 'no share could be drawn'))
        .finally(() => {
          if (!this.#stopped) this.start();
        });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#callOff();
    await this.#checking;
  }

  async #step(): Promise<void> {
    const [recheck] = this.#rechecks;
    if (recheck !== undefined && recheck.dueAtMs <= this.#options.by.clock.monotonicMs()) {
      this.#rechecks.shift();
      if (await this.#options.store.isClaimed(recheck.share)) await this.#check(recheck.share, true);
      return;
    }
    const share = await this.#next();
    if (share !== undefined) await this.#check(share, false);
  }

  /** Of a peer that is up, since others are not expected to answer; those that are not believed come first, or they never were again. */
  async #next(): Promise<SampledShare | undefined> {
    const { store, partitions, factOf, by } = this.#options;
    if (this.#drawn.length === 0) this.#drawn = [...(await store.draw(partitions(), sharesADraw))];
    const doubted = this.#drawn.findIndex(({ peerId }) => factOf(peerId)?.doubtedMs !== undefined);
    if (doubted >= 0) return this.#drawn.splice(doubted, 1)[0];
    while (this.#drawn.length > 0) {
      const [share] = this.#drawn.splice(Math.floor(by.random() * this.#drawn.length), 1);
      if (share !== undefined && factOf(share.peerId)?.state === 'up') return share;
    }
    return undefined;
  }

  async #check(share: SampledShare, isSecond: boolean): Promise<void> {
    const { transfer, words, tell, by } = this.#options;
    const { storageIndex, uebHash, k, n, sizeBytes, peerId, shareNumber } = share;
    const manifest = { storageIndex, uebHash, k, n, sizeBytes };
    const placed = { peerId, shareNumber };
    const { bad } = await checkedSample([placed], 1, { manifest, transfer, random: by.random });
    const [fault] = bad;
    if (fault === undefined) {
      tell('held');
      words.claims(peerId, 1, 0);
      return;
    }
    if (fault.corrupt) {
      tell('corrupt');
      const reason = describeError(fault.error);
      words.found(storageIndex, placed, reason);
      words.claims(peerId, 0, 1);
      await transfer.reportCorruption(peerId, storageIndex, shareNumber, reason);
      return;
    }
    if (!isAbsence(fault.error)) {
      tell('unanswered');
      return;
    }
    if (isSecond) {
      tell('absent');
      words.found(storageIndex, placed, 'the peer says to hold the share and does not serve it');
      words.claims(peerId, 0, 1);
    } else if (this.#rechecks.length < mostRechecks) {
      this.#rechecks.push({ share, dueAtMs: by.clock.monotonicMs() + recheckAfterMs });
    }
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof MeshwardError && error.code === 'gbs-refused' && error.details['status'] === 404;
}
