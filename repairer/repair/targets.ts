/** The peers that take new shares: chosen by placement, asked for room, replaced where they refuse. */
import type { Random } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { Fence, WholeOutcome } from '#peers/peer-storage.ts';
import type { PlacementField } from '#peers/placement-field.ts';
import { isFenced, type WorkTransfer } from '#peers/transfer.ts';
import { leaseSecretsFor, leaseSeedOfPeer } from '#tahoe/identity/lease-secrets.ts';
import {
  type ChosenTarget,
  choosePlacement,
  type HeldShare,
  type PlacementLimits,
  type PlacementRequest,
} from './placement.ts';
import { areHeldWhole } from './share-bytes.ts';
import type { UploadBuffers } from './upload-buffers.ts';

export interface TargetsOptions {
  readonly storageIndex: StorageIndex;
  readonly shareBytes: number;
  /** The shares are held whole: peers that take them so need not be asked for room. @default whether such are whatever their number */
  readonly areWhole?: boolean;
  readonly field: PlacementField;
  readonly held: readonly HeldShare[];
  readonly limits: PlacementLimits;
  readonly transfer: WorkTransfer;
  readonly choice: Pick<PlacementRequest, 'tieBreaker'> & { readonly random: Random };
  readonly secrets: UploadSecrets;
}

/** What uploads of one piece of work are known by at their peers. */
export interface UploadSecrets {
  /** 32 bytes: what the leases of this controller are made from. A secret. */
  readonly leaseSecret: Uint8Array;
  /** Random bytes that name the uploads of this work. A secret. */
  readonly uploadSecret: Uint8Array;
  readonly fence?: Fence | undefined;
}

export interface RefusedTarget {
  readonly peerId: PeerId;
  /** Undefined where it answered, but has no room. */
  readonly error: unknown;
}

type SoundCheck = (share: PlacedShare) => Promise<boolean>;

const takenForSound: SoundCheck = () => Promise.resolve(true);

export class Targets {
  /** Places that hold the share already, though it was thought missing. */
  readonly found: PlacedShare[] = [];
  readonly refusals: RefusedTarget[] = [];
  readonly #options: TargetsOptions;
  readonly #refused = new Set<PeerId>();
  readonly #assigned = new Map<number, PeerId>();
  /** Bad shares that were found: their peers take other numbers, not this one. */
  readonly #unsound: HeldShare[] = [];
  overDomainLimit = 0;

  constructor(options: TargetsOptions) {
    this.#options = options;
  }

  /**
   * Room for as many of the shares as possible; the caller writes each or aborts it.
   * @param isSound asked of each share that a peer says to have already; a bad one goes to another peer.
   * @throws MeshwardError `log-fenced`; or the signal's reason.
   */
  async allocate(shareNumbers: readonly number[], isSound: SoundCheck = takenForSound): Promise<ChosenTarget[]> {
    const allocated: ChosenTarget[] = [];
    try {
      await this.#allocateInto(allocated, shareNumbers, isSound);
    } catch (error) {
      // The work is over: nothing that was allocated may stay reserved.
      await Promise.all(allocated.map((target) => this.abort(target)));
      throw error;
    }
    return allocated;
  }

  async #allocateInto(allocated: ChosenTarget[], shareNumbers: readonly number[], isSound: SoundCheck): Promise<void> {
    let pending = [...shareNumbers];
    while (pending.length > 0) {
      const { targets, overDomainLimit } = choosePlacement(
        this.#options.field,
        this.#request(pending),
        this.#options.choice.random,
      );
      if (targets.length === 0) break;
      this.overDomainLimit += overDomainLimit;
      for (const target of targets) this.#assigned.set(target.shareNumber, target.peerId);
      const foundBefore = this.found.length;
      await this.#askAll(targets, allocated);
      await this.#checkFound(this.found.splice(foundBefore), isSound);
      const settled = new Set([...allocated, ...this.found].map((each) => each.shareNumber));
      const refusedNow = targets.filter((target) => !settled.has(target.shareNumber));
      for (const target of refusedNow) this.#assigned.delete(target.shareNumber);
      pending = pending.filter((shareNumber) => !settled.has(shareNumber));
      // Those that found no place do so only if a refusal changed the picture.
      if (refusedNow.length === 0) break;
    }
  }

  async #checkFound(found: readonly PlacedShare[], isSound: SoundCheck): Promise<void> {
    const sound = await Promise.all(found.map(isSound));
    for (const [at, share] of found.entries()) {
      if (sound[at]) this.found.push(share);
      else this.#unsound.push({ ...share, domains: {}, usesPlace: false });
    }
  }

  /** Another place for a share whose target failed and was refused; undefined where there is none. */
  async replace(shareNumber: number): Promise<ChosenTarget | undefined> {
    this.#assigned.delete(shareNumber);
    const [target] = await this.allocate([shareNumber]);
    return target;
  }

  refuse(peerId: PeerId, error: unknown): void {
    if (this.#refused.has(peerId)) return;
    this.#refused.add(peerId);
    this.refusals.push({ peerId, error });
  }

  #request(shareNumbers: readonly number[]): PlacementRequest {
    const { held, shareBytes, limits, field, choice } = this.#options;
    const assigned = [...this.#assigned].map(([shareNumber, peerId]) => {
      const index = field.indexOf.get(peerId) as number;
      return { shareNumber, peerId, domains: field.peers[index]?.domains ?? {}, usesPlace: true };
    });
    return {
      shareNumbers,
      shareBytes,
      held: [...held, ...this.#unsound, ...assigned],
      ...limits,
      refused: this.#refused,
      tieBreaker: choice.tieBreaker,
    };
  }

  /** One request a peer, whatever it is to take. */
  async #askAll(targets: readonly ChosenTarget[], allocated: ChosenTarget[]): Promise<void> {
    const numbersOf = new Map<PeerId, number[]>();
    for (const { peerId, shareNumber } of targets)
      numbersOf.set(peerId, [...(numbersOf.get(peerId) ?? []), shareNumber]);
    const asked = await Promise.allSettled(
      [...numbersOf].map(async ([peerId, numbers]) => allocated.push(...(await this.#ask(peerId, numbers)))),
    );
    const failed = asked.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Memory for shares that were given targets; where it is not come by, none of them stays allocated. */
  async reserve(buffers: UploadBuffers | undefined, chosen: readonly ChosenTarget[], urgent: boolean): Promise<void> {
    const { signal } = this.#options.transfer;
    try {
      await buffers?.reserve(chosen.length * this.#options.shareBytes, { urgent, signal });
    } catch (error) {
      await Promise.all(chosen.map((target) => this.abort(target)));
      throw error;
    }
  }

  /** Sends a whole share to a peer that takes such. @throws what the peer fails with, and `log-fenced`. */
  put({ peerId, shareNumber }: ChosenTarget, bytes: Uint8Array): Promise<WholeOutcome> {
    const { transfer, storageIndex, secrets } = this.#options;
    const { leaseSecret, uploadSecret, fence } = secrets;
    const leases = leaseSecretsFor(leaseSecret, storageIndex, leaseSeedOfPeer(peerId));
    return transfer.putWhole(peerId, storageIndex, { shareNumber, bytes, ...leases, uploadSecret, fence });
  }

  /** Of a peer that says to have a share already, after it was chosen for it. @returns whether the share is sound. */
  async keepsFound(share: PlacedShare, isSound: SoundCheck = takenForSound): Promise<boolean> {
    await this.#checkFound([share], isSound);
    return this.found.includes(share);
  }

  async abort({ peerId, shareNumber, whole }: ChosenTarget): Promise<void> {
    if (whole === true) return;
    const { transfer, storageIndex, secrets } = this.#options;
    await transfer.abort(peerId, storageIndex, shareNumber, secrets.uploadSecret);
  }

  async #ask(peerId: PeerId, shareNumbers: readonly number[]): Promise<ChosenTarget[]> {
    const { transfer, storageIndex, shareBytes, secrets } = this.#options;
    const { areWhole = areHeldWhole(Number.POSITIVE_INFINITY, shareBytes) } = this.#options;
    const { leaseSecret, uploadSecret, fence } = secrets;
    try {
      if (areWhole && shareBytes <= (await transfer.wholeShareMaxBytes(peerId))) {
        return shareNumbers.map((shareNumber) => ({ shareNumber, peerId, whole: true }));
      }
      const leases = leaseSecretsFor(leaseSecret, storageIndex, leaseSeedOfPeer(peerId));
      const answer = await transfer.allocate(peerId, storageIndex, {
        shareNumbers,
        shareBytes,
        ...leases,
        uploadSecret,
        fence,
      });
      const accepted = shareNumbers.filter((shareNumber) => answer.allocated.has(shareNumber));
      const found = shareNumbers.filter(
        (shareNumber) => !answer.allocated.has(shareNumber) && answer.alreadyHave.has(shareNumber),
      );
      this.found.push(...found.map((shareNumber) => ({ shareNumber, peerId })));
      if (accepted.length + found.length < shareNumbers.length) this.refuse(peerId, undefined);
      return accepted.map((shareNumber) => ({ shareNumber, peerId }));
    } catch (error) {
      if (transfer.signal.aborted || isFenced(error)) throw error;
      this.refuse(peerId, error);
      return [];
    }
  }
}
