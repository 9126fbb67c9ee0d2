/** Proofs: a real recovery of a file from k shares drawn at random, every byte of it checked and none of it kept. */
import { createHash } from 'node:crypto';
import type { ReadCap, VerifyCap } from '#mesh/caps.ts';
import { type ErrorCode, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { WorkTransfer } from '#peers/transfer.ts';
import { decodeCiphertext, recoverPlaintext } from '#tahoe/share/index.ts';
import { FileOpening, type FileReading } from '../files/open-file.ts';
import { errorFacts } from '../repair/repair-report.ts';

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

export interface ProofResult {
  readonly id: string;
  readonly outcome: 'proven' | 'failed' | 'cancelled';
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** What the file was recovered from. */
  readonly shares: readonly PlacedShare[];
  /** Distinct share numbers that are known to lie somewhere, by facts or because peers said so. */
  readonly sharesLocated: number;
  /** Peers that were asked for shares and did not answer. */
  readonly unreachable: number;
  /** Peers that hold a share of it which they cannot open: which one, they do not say. */
  readonly damaged: readonly PeerId[];
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
  const transfer = by.transfer.begin({ urgent: request.urgent ?? false, signal: AbortSignal.any([request.signal]) });
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
  readonly #by: FileReading;
  readonly #opening: FileOpening;
  #bytesProven = 0;
  #plaintextSha256: Uint8Array | null = null;

  constructor(request: ProofRequest, transfer: WorkTransfer, by: FileReading) {
    this.#request = request;
    this.#by = by;
    this.#opening = new FileOpening(request.cap, 'drawn', transfer, by);
  }

  facts(): Pick<
    ProofResult,
    'shares' | 'sharesLocated' | 'unreachable' | 'damaged' | 'corrupt' | 'bytesProven' | 'plaintextSha256'
  > {
    const { pool, located, unreachable, damaged } = this.#opening;
    const corrupt = pool?.faults.filter((fault) => fault.corrupt) ?? [];
    return {
      shares: pool?.used ?? [],
      sharesLocated: located,
      unreachable,
      damaged,
      corrupt: corrupt.map(({ shareNumber, peerId }) => ({ shareNumber, peerId })),
      bytesProven: this.#bytesProven,
      plaintextSha256: this.#plaintextSha256,
    };
  }

  async run(): Promise<void> {
    const { cap, signal, plaintextSha256 } = this.#request;
    const { pool, shares } = await this.#opening.open();
    const options = {
      replace: (shareNumber: number, error: unknown) => pool.replace(shareNumber, error),
      signal,
      windowBytes: this.#by.windowBytes,
    };
    // The plaintext is known by its hash; the ciphertext was compared with the manifest's, piece by piece.
    const hash = cap.kind === 'read' ? createHash('sha256') : undefined;
    const content = cap.kind === 'read' ? recoverPlaintext(cap, shares, options) : decodeCiphertext(shares, options);
    for await (const piece of content) {
      hash?.update(piece);
      this.#bytesProven += piece.length;
    }
    await Promise.all(shares.map((share) => share.close()));
    if (this.#bytesProven !== cap.manifest.sizeBytes) {
      throw otherContent(`${this.#bytesProven} bytes were recovered of a file of ${cap.manifest.sizeBytes}`);
    }
    if (hash === undefined) return;
    this.#plaintextSha256 = hash.digest();
    if (plaintextSha256 !== undefined && Buffer.compare(this.#plaintextSha256, plaintextSha256) !== 0) {
      throw otherContent('the recovered file is not the one that was expected');
    }
  }
}

function otherContent(what: string): MeshwardError {
  return new MeshwardError('promise-broken', `the proof failed: ${what}`, {
    next: 'Compare the cap and the expected hash with the ones kept when the file was uploaded.',
  });
}
