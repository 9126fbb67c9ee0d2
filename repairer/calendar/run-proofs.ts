/** Proofs that are due: files drawn by risk and by age of their last proof, each really recovered from k random shares. */
import { randomUUID } from 'node:crypto';
import type { Clock, Random } from '#mesh/clock.ts';
import type { Logger } from '#mesh/logger.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { Transfer } from '#peers/transfer.ts';
import { type ProofRow, proofs } from '#store/tables.ts';
import { proofRow } from '../audit.ts';
import { proveFile } from '../proofs/prove.ts';

export interface SampledFile {
  readonly manifest: Manifest;
  /** As the analyzer counted it. */
  readonly margin: number;
}

export interface RunProofsOptions {
  /** So many files at most, drawn at random by their weight. */
  readonly sample: (files: number) => Promise<readonly SampledFile[]>;
  readonly keep: (table: typeof proofs, rows: readonly ProofRow[]) => Promise<void>;
  readonly transfer: Transfer;
  readonly peers: () => readonly PeerId[];
  /** Where shares of the file lie, as far as fresh facts tell; every peer is asked only where these do not give it back. */
  readonly known: (storageIndex: StorageIndex) => Promise<readonly PlacedShare[]>;
  /** Why no proof may begin now; empty where one may. */
  readonly holdReason: () => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Told of each proof: `disagrees` where the margin says that the file can be recovered, and it could not. */
  readonly onProof: (outcome: 'proven' | 'failed' | 'disagrees') => void;
}

/** @returns what came of it, in words. */
export async function runProofs(
  options: RunProofsOptions,
  name: string,
  files: number,
  signal: AbortSignal,
): Promise<string> {
  const { sample, keep, transfer, peers, known, holdReason, clock, random, logger, onProof } = options;
  const chosen = await sample(files);
  const counts = { proven: 0, failed: 0, disagrees: 0 };
  for (const { manifest, margin } of chosen) {
    signal.throwIfAborted();
    const hold = holdReason();
    if (hold !== '') return `${describe(counts)}; the rest was left: ${hold}`;
    const result = await proveFile(
      { id: randomUUID(), cap: { kind: 'verify', manifest }, signal },
      { transfer, peers, known: await known(manifest.storageIndex), clock, random },
    );
    if (result.outcome === 'cancelled') signal.throwIfAborted();
    await keep(proofs, [proofRow(result, manifest, `calendar ${name}`, '')]);
    const outcome = result.outcome === 'proven' ? 'proven' : margin >= 0 ? 'disagrees' : 'failed';
    counts[outcome]++;
    onProof(outcome);
    if (outcome === 'disagrees') {
      logger.error(
        { storageIndex: manifest.storageIndex, margin, errorCode: result.errorCode, error: result.errorMessage },
        'a proof disagrees with the margin: the file should be recoverable, and could not be recovered',
      );
    }
  }
  return describe(counts);
}

function describe({ proven, failed, disagrees }: { proven: number; failed: number; disagrees: number }): string {
  const bad = failed + disagrees;
  const against = disagrees === 0 ? '' : `, ${disagrees} of them against what their margin says`;
  const recovered = `${proven} ${proven === 1 ? 'file' : 'files'} recovered`;
  return bad === 0 ? recovered : `${recovered}, ${bad} could not be${against}`;
}
