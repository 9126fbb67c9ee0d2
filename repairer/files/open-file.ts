/** A file opened for reading: where its shares lie, by facts or by asking its peers, and k of them opened. */
import type { ReadCap, VerifyCap } from '#mesh/caps.ts';
import { type Clock, type Random, shuffled } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { locateShares, type PlacedShare } from '#peers/locate.ts';
import type { Transfer, WorkTransfer } from '#peers/transfer.ts';
import type { VerifiedShare } from '#tahoe/share/index.ts';
import { SourcePool } from '../repair/sources.ts';
import { defaultRepairSettings } from '../repair/tools.ts';

export interface FileReading {
  readonly transfer: Transfer;
  /** Every peer that may hold shares. */
  readonly peers: () => readonly PeerId[];
  /** Where shares lie, as far as fresh facts tell: peers are asked only where these do not give the file back. */
  readonly known?: readonly PlacedShare[];
  readonly clock: Clock;
  readonly random: Random;
  /** Most peers that are asked for shares of a file. @default 256 */
  readonly maxPeers?: number;
  readonly windowBytes?: number;
}

/**
 * Which shares are wanted: any k with the same chance, so that a proof says something of all of them; or those that give the file
 * back soonest, which are the data itself.
 */
export type SharesWanted = 'drawn' | 'soonest';

const mostAskedAtOnce = 32;

export interface OpenedFile {
  readonly pool: SourcePool;
  readonly shares: readonly VerifiedShare[];
}

/** Finds k shares of a file and opens them. */
export class FileOpening {
  readonly #manifest: Manifest;
  readonly #wanted: SharesWanted;
  readonly #transfer: WorkTransfer;
  readonly #by: FileReading;
  readonly #located = new Set<number>();
  readonly #asked = new Set<PeerId>();
  #unreachable = 0;
  readonly #damaged: PeerId[] = [];
  #pool: SourcePool | undefined;

  constructor(cap: ReadCap | VerifyCap, wanted: SharesWanted, transfer: WorkTransfer, by: FileReading) {
    this.#manifest = cap.manifest;
    this.#wanted = wanted;
    this.#transfer = transfer;
    this.#by = by;
  }

  /** Distinct share numbers that are known to lie somewhere. */
  get located(): number {
    return this.#located.size;
  }

  /** Peers that did not answer where they were asked. */
  get unreachable(): number {
    return this.#unreachable;
  }

  /** Peers that hold a share which they cannot open. */
  get damaged(): readonly PeerId[] {
    return this.#damaged;
  }

  /** From when candidates are tried. */
  get pool(): SourcePool | undefined {
    return this.#pool;
  }

  /** @throws MeshwardError `not-enough-shares`. */
  async open(): Promise<OpenedFile> {
    const { k, n } = this.#manifest;
    const known = this.#taken(this.#by.known ?? []);
    // A proof that took the first to answer would draw from those.
    const enough = this.#wanted === 'soonest' ? Math.min(n, k + Math.ceil(k / 4)) : n;
    const candidates = known.length > 0 ? known : await this.#ask(enough);
    if (candidates.length === 0) throw nowhere(this.#unreachable, this.#damaged.length);
    this.#pool = new SourcePool({
      manifest: this.#manifest,
      candidates: this.#inOrder(candidates),
      transfer: this.#transfer,
      clock: this.#by.clock,
      hedgeAfterMs: 500,
      // A share that fits is read in one request, its blocks with what proves them.
      headBytes: Math.floor((this.#by.windowBytes ?? defaultRepairSettings.windowBytes) / k),
      more: async () => this.#inOrder(await this.#ask(n)),
    });
    return { pool: this.#pool, shares: await this.#pool.open(k) };
  }

  /** @param enough distinct share numbers, at which asking ends. @returns what was not known. */
  async #ask(enough: number): Promise<readonly PlacedShare[]> {
    const { storageIndex } = this.#manifest;
    const found = await locateShares({
      storageIndex,
      peers: this.#by.peers().filter((peerId) => !this.#asked.has(peerId)),
      list: (peerId) => this.#transfer.listShares(peerId, storageIndex),
      enough,
      maxPeers: this.#by.maxPeers ?? 256,
      parallel: Math.min(mostAskedAtOnce, enough),
      signal: this.#transfer.signal,
    });
    for (const peerId of [...found.answers.keys(), ...found.unreachable]) this.#asked.add(peerId);
    this.#unreachable += found.unreachable.length;
    this.#damaged.push(...found.damaged);
    return this.#taken(found.shares);
  }

  #taken(shares: readonly PlacedShare[]): readonly PlacedShare[] {
    const taken = shares.filter((share) => share.shareNumber < this.#manifest.n);
    for (const { shareNumber } of taken) this.#located.add(shareNumber);
    return taken;
  }

  #inOrder(shares: readonly PlacedShare[]): PlacedShare[] {
    const drawn = shuffled(shares, this.#by.random);
    if (this.#wanted === 'drawn') return drawn;
    const isData = ({ shareNumber }: PlacedShare): boolean => shareNumber < this.#manifest.k;
    return [...drawn.filter(isData), ...drawn.filter((share) => !isData(share))];
  }
}

/** Nobody has anything of it: whether there is such a file is for the caller to say. */
function nowhere(unreachable: number, damaged: number): MeshwardError {
  const others =
    (damaged === 0 ? '' : ` that can be read; ${damaged} hold one whose container is damaged`) +
    (unreachable === 0 ? '' : `; ${unreachable} did not answer`);
  return new MeshwardError('not-enough-shares', `no peer that was asked holds a share of this file${others}`, {
    next: 'Check the cap. If it is right, bring peers back that hold its shares: the file is not lost while they may return.',
    retryable: unreachable > 0,
    details: { have: 0, located: 0, unreachable, damaged },
  });
}
