/**
 * A canary: a file that is put with fewer shares than it shall have, and must be noticed, listed, repaired and recovered by
 * everything that does so for any file. So silence can be told from health. Its content is random, its key is
 * forgotten, and in the end the mesh is told to care for it no more.
 */
import { randomUUID } from 'node:crypto';
import type { VerifyCap } from '#mesh/caps.ts';
import { type Clock, type Random, shuffled, sleep } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { buildPlacementField, type PlacementField } from '#peers/placement-field.ts';
import type { Transfer } from '#peers/transfer.ts';
import { type ProofRow, proofs } from '#store/tables.ts';
import { proofRow } from '../audit.ts';
import { putFile } from '../files/put.ts';
import { proveFile } from '../proofs/prove.ts';

export interface RunCanaryOptions {
  readonly transfer: Transfer;
  readonly field: () => PlacementField;
  readonly peers: () => readonly PeerId[];
  readonly keep: (table: typeof proofs, rows: readonly ProofRow[]) => Promise<void>;
  /** How many shares of the file count, as the analyzer has stored it; null where it does not know the file. */
  readonly counted: (storageIndex: StorageIndex) => Promise<number | null>;
  /** Takes the file out of the mesh's care again. */
  readonly forget: (storageIndex: StorageIndex) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  /** From a source fit for secrets. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** A secret. */
  readonly leaseSecret: Uint8Array;
}

const coding = { k: 3, n: 10 };
const sizeBytes = 4096;
const lookEveryMs = 1000;

/** @returns what came of it, in words. @throws MeshwardError `promise-broken` where it was not repaired in time, or not recovered. */
export async function runCanary(
  options: RunCanaryOptions,
  name: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<string> {
  const { transfer, field, random, randomBytes, leaseSecret, clock } = options;
  const policy = defaultPolicy(coding);
  const few = policy.repairBelow - 1;
  const startedMs = clock.monotonicMs();
  const put = await putFile(
    { sizeBytes, plaintext: [randomBytes(sizeBytes)], policy, happy: few, signal },
    {
      transfer,
      // As many peers as it is to have shares: the rest is for the repair.
      field: () => buildPlacementField(shuffled(field().peers, random).slice(0, few)),
      random,
      randomBytes,
      leaseSecret,
    },
  );
  if (put.kind !== 'stored') throw new Error('a canary was to be stored');
  try {
    return await watchOver(options, name, put.verifyCap, { few, withinMs, startedMs, signal });
  } finally {
    // Whatever came of it: nobody needs the file, and one that was not repaired would stay at risk for ever.
    await options.forget(put.verifyCap.manifest.storageIndex);
  }
}

interface CanaryRun {
  readonly few: number;
  readonly withinMs: number;
  readonly startedMs: number;
  readonly signal: AbortSignal;
}

/** From a file with few shares to one that was repaired and recovered. */
async function watchOver(
  options: RunCanaryOptions,
  name: string,
  cap: VerifyCap,
  { few, withinMs, startedMs, signal }: CanaryRun,
): Promise<string> {
  const { transfer, field, random, clock, keep, peers } = options;
  const { manifest } = cap;
  const wanted = Math.min(defaultPolicy(coding).repairUpTo, field().peers.length);
  while (((await options.counted(manifest.storageIndex)) ?? 0) < wanted) {
    if (clock.monotonicMs() - startedMs > withinMs) {
      throw new MeshwardError(
        'promise-broken',
        `a canary with ${few} of ${coding.n} shares was not repaired within ${Math.round(withinMs / 1000)} s`,
        {
          next: 'Something between agents, collector, analyzer and repairer does not work: `meshward doctor`.',
        },
      );
    }
    await sleep(clock, lookEveryMs, signal);
  }
  const repairedMs = clock.monotonicMs() - startedMs;
  const result = await proveFile({ id: randomUUID(), cap, signal }, { transfer, peers, clock, random });
  await keep(proofs, [proofRow(result, manifest, `canary ${name}`, '')]);
  if (result.outcome !== 'proven') {
    throw new MeshwardError('promise-broken', `a canary was repaired and not recovered: ${result.errorMessage}`, {
      next: 'Look at the peers that hold it: `meshward file show --placements`.',
    });
  }
  return `put with ${few} shares, repaired to ${wanted} after ${Math.round(repairedMs / 1000)} s, and recovered`;
}
