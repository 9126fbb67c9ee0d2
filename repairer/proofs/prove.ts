/** Proofs: a real recovery of a file from k shares drawn at random, every byte of it checked and none of it kept. */
import { createHash } from 'node:crypto';
import type { ReadCap, VerifyCap } from '#mesh/caps.ts';
import { type Clock, type Random, shuffled } from '#mesh/clock.ts';
import { type ErrorCode, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PlacedShare } from '#peers/locate.ts';
import { locateShares } from '#peers/locate.ts';
import type { Transfer, WorkTransfer } from '#peers/transfer.ts';
import { decodeCiphertext, recoverPlaintext, type VerifiedShare } from '#tahoe/share/index.ts';
import { errorFacts } from '../repair/repair-report.ts';
import { SourcePool } from '../repair/sources.ts';
import { defaultRepairSettings } from '../repair/tools.ts';

export interface ProofRequest {
  readonly id: string;
  /** With a read cap the plaintext is recovered too. */
  readonly cap: ReadCap | VerifyCap;
  /** With a read cap: what the SHA-256 of the plaintext must be. */
  readonly plaintextSha256?: Uint8Array | undefined;
  /** Does not wait for the budget. */
  readonly urgent?: boolean;
  readonly signal: AbortSignal;
}

export interface FileReading {
  readonly transfer: Transfer;
  /** Every peer that may hold shares. */
  readonly peers: () => readonly PeerId[];
  readonly clock: Clock;
  readonly random: Random;
  /** Most peers that are asked for shares of a file. @default 256 */
  readonly maxPeers?: number;
  readonly windowBytes?: number;
}

export interface ProofResult {
  readonly id: string;
  readonly outcome: 'proven' | 'failed' | 'cancelled';
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** What the file was recovered from. */
  readonly shares: readonly PlacedShare[];
  /** Distinct share numbers that peers said to hold. */
  readonly sharesLocated: number;
  /** Peers that were asked for shares and did not answer. */
  readonly unreachable: number;
  readonly corrupt: readonly PlacedShare[];
  readonly bytesRead: number;
  /** Bytes of the file that were recovered and matched its hashes. */
  readonly bytesProven: number;
  /** With a read cap. */
  readonly plaintextSha256: Uint8Array | null;
  readonly errorCode: ErrorCode | '';
  readonly errorMessage: string;
}

/** Never rejects: what went wrong is in the result. */
export async function proveFile(request: ProofRequest, by: FileReading): Promise<ProofResult> {
  const startedAtMs = by.clock.nowMs();
  const startedMs = by.clock.monotonicMs();
  const transfer = by.transfer.begin({ urgent: request.urgent ?? false, signal: request.signal });
  const proof = new Proof(request, transfer, by);
  let failure: unknown;
  try {
    await proof.run();
  } catch (error) {
    failure = request.signal.aborted ? request.signal.reason : error;
  }
  return {
    id: request.id,
    outcome: failure === undefined ? 'proven' : request.signal.aborted ? 'cancelled' : 'failed',
    startedAtMs,
    durationMs: Math.round(by.clock.monotonicMs() - startedMs),
    ...proof.facts(),
    bytesRead: transfer.bytesRead,
    ...errorFacts(failure),
  };
}

class Proof {
  readonly #request: ProofRequest;
  readonly #transfer: WorkTransfer;
  readonly #by: FileReading;
  #opened: OpenedFile | undefined;
  #bytesProven = 0;
  #plaintextSha256: Uint8Array | null = null;

  constructor(request: ProofRequest, transfer: WorkTransfer, by: FileReading) {
    this.#request = request;
    this.#transfer = transfer;
    this.#by = by;
  }

  facts(): Pick<
    ProofResult,
    'shares' | 'sharesLocated' | 'unreachable' | 'corrupt' | 'bytesProven' | 'plaintextSha256'
  > {
    const faults = this.#opened?.pool.faults ?? [];
    return {
      shares: this.#opened?.pool.used ?? [],
      sharesLocated: this.#opened?.located ?? 0,
      unreachable: this.#opened?.unreachable ?? 0,
      corrupt: faults.filter((fault) => fault.corrupt).map(({ shareNumber, peerId }) => ({ shareNumber, peerId })),
      bytesProven: this.#bytesProven,
      plaintextSha256: this.#plaintextSha256,
    };
  }

  async run(): Promise<void> {
    const { cap, signal, plaintextSha256 } = this.#request;
    this.#opened = await openFile(cap, this.#transfer, this.#by, (opened) => {
      this.#opened = opened;
    });
    const { pool, shares } = this.#opened;
    const options = {
      replace: (shareNumber: number, error: unknown) => pool.replace(shareNumber, error),
      signal,
      windowBytes: this.#by.windowBytes,
    };
    const hash = createHash('sha256');
    const content = cap.kind === 'read' ? recoverPlaintext(cap, shares, options) : decodeCiphertext(shares, options);
    for await (const segment of content) {
      hash.update(segment);
      this.#bytesProven += segment.length;
    }
    if (this.#bytesProven !== cap.manifest.sizeBytes) {
      throw otherContent(`${this.#bytesProven} bytes were recovered of a file of ${cap.manifest.sizeBytes}`);
    }
    if (cap.kind !== 'read') return;
    this.#plaintextSha256 = hash.digest();
    if (plaintextSha256 !== undefined && Buffer.compare(this.#plaintextSha256, plaintextSha256) !== 0) {
      throw otherContent('the recovered file is not the one that was expected');
    }
  }
}

export interface OpenedFile {
  readonly pool: SourcePool;
  readonly shares: readonly VerifiedShare[];
  /** Distinct share numbers that were found. */
  readonly located: number;
  /** Peers that did not answer. */
  readonly unreachable: number;
}

/**
 * Finds the file's shares and opens k of them, drawn at random.
 *
 * @param onLocated told before opening, so that a failure can be explained.
 * @throws MeshwardError `not-enough-shares`.
 */
export async function openFile(
  cap: ReadCap | VerifyCap,
  transfer: WorkTransfer,
  by: FileReading,
  onLocated?: (opened: OpenedFile) => void,
): Promise<OpenedFile> {
  const { manifest } = cap;
  const maxPeers = by.maxPeers ?? 256;
  const found = await locateShares({
    storageIndex: manifest.storageIndex,
    peers: by.peers(),
    list: (peerId) => transfer.listShares(peerId, manifest.storageIndex),
    enough: manifest.n,
    maxPeers,
    parallel: 32,
    signal: transfer.signal,
  });
  const candidates = shuffled(
    found.shares.filter((share) => share.shareNumber < manifest.n),
    by.random,
  );
  const located = new Set(candidates.map((share) => share.shareNumber)).size;
  const pool = new SourcePool({
    manifest,
    candidates,
    transfer,
    clock: by.clock,
    hedgeAfterMs: 500,
    // A share that fits is read in one request, its blocks with what proves them.
    headBytes: Math.floor((by.windowBytes ?? defaultRepairSettings.windowBytes) / manifest.k),
  });
  const unreachable = found.unreachable.length;
  onLocated?.({ pool, shares: [], located, unreachable });
  if (located === 0) throw nowhere(unreachable);
  return { pool, shares: await pool.open(manifest.k), located, unreachable };
}

/** Nobody has anything of it: whether there is such a file is for the caller to say. */
function nowhere(unreachable: number): MeshwardError {
  const others = unreachable === 0 ? '' : `; ${unreachable} did not answer`;
  return new MeshwardError('not-enough-shares', `no peer that was asked holds a share of this file${others}`, {
    next: 'Check the cap. If it is right, bring peers back that hold its shares: the file is not lost while they may return.',
    retryable: unreachable > 0,
    details: { have: 0, located: 0, unreachable },
  });
}

function otherContent(what: string): MeshwardError {
  return new MeshwardError('promise-broken', `the proof failed: ${what}`, {
    next: 'Compare the cap and the expected hash with the ones kept when the file was uploaded.',
  });
}
