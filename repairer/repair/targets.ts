/** The peers that take new shares: chosen by placement, asked for room, replaced where they refuse. */
import type { Random } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { Fence } from '#peers/peer-storage.ts';
import type { PlacementField } from '#peers/placement-field.ts';
import { isFenced, type WorkTransfer } from '#peers/transfer.ts';
import { leaseSecretsFor, leaseSeedOfPeer } from '#tahoe/identity/lease-secrets.ts';
import { type ChosenTarget, choosePlacement, type HeldShare } from './placement.ts';

export interface TargetsOptions {
  readonly storageIndex: StorageIndex;
  readonly shareBytes: number;
  readonly field: PlacementField;
  readonly held: readonly HeldShare[];
  readonly maxSharesPerPeer: number;
  readonly maxSharesPerDomain: number;
  readonly transfer: WorkTransfer;
  readonly random: Random;
  /** See `PlacementRequest`. */
  readonly tieBreaker?: string;
  /** 32 bytes: what the leases of this controller are made from. A secret. */
  readonly leaseSecret: Uint8Array;
  /** Random bytes that name the uploads of this work. A secret. */
  readonly uploadSecret: Uint8Array;
  readonly fence?: Fence | undefined;
  /** Peers that are not to be asked at all. */
  readonly refused?: Iterable<PeerId>;
}

export interface RefusedTarget {
  readonly peerId: PeerId;
  /** Undefined where it answered, but has no room. */
  readonly error: unknown;
}

export class Targets {
  /** Places that hold the share already, though it was thought missing: to be checked before they are believed. */
  readonly found: PlacedShare[] = [];
  readonly refusals: RefusedTarget[] = [];
  readonly #options: TargetsOptions;
  readonly #refused: Set<PeerId>;
  readonly #assigned = new Map<number, PeerId>();
  overDomainLimit = 0;

  constructor(options: TargetsOptions) {
    this.#options = options;
    this.#refused = new Set(options.refused ?? []);
  }

  /**
   * Room for as many of the shares as possible; the caller writes each or aborts it.
   * @throws MeshwardError `log-fenced`; or the signal's reason.
   */
  async allocate(shareNumbers: readonly number[]): Promise<ChosenTarget[]> {
    const allocated: ChosenTarget[] = [];
    try {
      await this.#allocateInto(allocated, shareNumbers);
    } catch (error) {
      // The work is over: nothing that was allocated may stay reserved.
      await Promise.all(allocated.map((target) => this.abort(target)));
      throw error;
    }
    return allocated;
  }

  async #allocateInto(allocated: ChosenTarget[], shareNumbers: readonly number[]): Promise<void> {
    let pending = [...shareNumbers];
    while (pending.length > 0) {
      const { targets, overDomainLimit } = choosePlacement(
        this.#options.field,
        this.#request(pending),
        this.#options.random,
      );
      if (targets.length === 0) break;
      this.overDomainLimit += overDomainLimit;
      for (const target of targets) this.#assigned.set(target.shareNumber, target.peerId);
      await this.#askAll(targets, allocated);
      const settled = new Set([...allocated, ...this.found].map((each) => each.shareNumber));
      const refusedNow = targets.filter((target) => !settled.has(target.shareNumber));
      for (const target of refusedNow) this.#assigned.delete(target.shareNumber);
      pending = pending.filter((shareNumber) => !settled.has(shareNumber));
      // Those that found no place do so only if a refusal changed the picture.
      if (refusedNow.length === 0) break;
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

  #request(shareNumbers: readonly number[]): Parameters<typeof choosePlacement>[1] {
    const { held, shareBytes, maxSharesPerPeer, maxSharesPerDomain, field, tieBreaker } = this.#options;
    const assigned = [...this.#assigned].map(([shareNumber, peerId]) => {
      const index = field.indexOf.get(peerId) as number;
      return { shareNumber, peerId, domains: field.peers[index]?.domains ?? {} };
    });
    return {
      shareNumbers,
      shareBytes,
      held: [...held, ...assigned],
      maxSharesPerPeer,
      maxSharesPerDomain,
      refused: this.#refused,
      tieBreaker,
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

  abort({ peerId, shareNumber }: ChosenTarget): Promise<void> {
    const { transfer, storageIndex, uploadSecret } = this.#options;
    return transfer.abort(peerId, storageIndex, shareNumber, uploadSecret);
  }

  async #ask(peerId: PeerId, shareNumbers: readonly number[]): Promise<ChosenTarget[]> {
    const { transfer, storageIndex, shareBytes, leaseSecret, uploadSecret, fence } = this.#options;
    try {
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
