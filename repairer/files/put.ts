/** Uploads: encrypt, encode, and spread the shares over peers and their failure domains. */
import { type LiteralCap, literalMaxBytes, type ReadCap, storageIndexOfKey, type VerifyCap } from '#mesh/caps.ts';
import type { Random } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Policy } from '#mesh/policy.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { PlacementField } from '#peers/placement-field.ts';
import type { Transfer } from '#peers/transfer.ts';
import { chooseSegmentBytes, computeLayout, encodePlaintext, shareTotalBytes } from '#tahoe/share/index.ts';
import { uebBytesOf } from '#tahoe/share/ueb.ts';
import { sendTurns } from '../repair/send-turns.ts';
import { Targets } from '../repair/targets.ts';
import { defaultRepairSettings } from '../repair/tools.ts';
import { pieceBytesFor, Upload } from '../repair/upload.ts';
import type { UploadBuffers } from '../repair/upload-buffers.ts';

export interface PutRequest {
  /** The file's exact size. */
  readonly sizeBytes: number;
  readonly plaintext: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  readonly policy: Policy;
  /** Fewest shares that must be placed, or the upload fails. @default the policy's `repairBelow`, at most the count of peers */
  readonly happy?: number | undefined;
  readonly signal: AbortSignal;
}

export interface PutTools {
  readonly transfer: Transfer;
  /** The peers that may be written to. */
  readonly field: () => PlacementField;
  readonly random: Random;
  /** From a source fit for secrets: keys and upload secrets come from here. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** 32 bytes, this controller's own. A secret. */
  readonly leaseSecret: Uint8Array;
  readonly windowBytes?: number;
  /** Memory for shares and pieces on their way, of all uploads of the process; left out where they go one after the other. */
  readonly uploadBuffers?: UploadBuffers;
}

/** For {@link PutTools.uploadBuffers}: what two large files need, or a few of which all shares are on their way. */
export const putBuffersBytes = 128 * 1024 * 1024;

export type PutResult =
  /** So small that the cap holds it: nothing was sent to any peer. */
  | { readonly kind: 'literal'; readonly cap: LiteralCap }
  | {
      readonly kind: 'stored';
      /** Opens the file: whoever has it can read it. */
      readonly readCap: ReadCap;
      readonly verifyCap: VerifyCap;
      readonly placements: readonly PlacedShare[];
      /** Shares for which no peer was found. */
      readonly unplaced: readonly number[];
      readonly shareBytes: number;
      readonly bytesWritten: number;
    };

/** @throws MeshwardError `repair-no-target` below `happy`, `bad-input` for another size than given, `cancelled`. */
export async function putFile(request: PutRequest, by: PutTools): Promise<PutResult> {
  if (request.sizeBytes <= literalMaxBytes) return { kind: 'literal', cap: await literalOf(request) };
  const { sizeBytes, policy, signal } = request;
  const { k, n } = policy;
  const layout = computeLayout({ k, n, sizeBytes, segmentBytes: chooseSegmentBytes(sizeBytes, k) });
  const shareBytes = shareTotalBytes(layout, uebBytesOf(layout));
  const windowBytes = by.windowBytes ?? defaultRepairSettings.windowBytes;
  // Each piece is a request: small ones would cost more than their bytes.
  const pieceBytes = pieceBytesFor(n, 4 * windowBytes, shareBytes);
  const sizes = { shareBytes, windowBytes, pieceBytes };
  const { uploadBuffers } = by;
  if (uploadBuffers === undefined || pieceBytes >= shareBytes) return storeFile(request, by, sizes);
  // Before peers are asked for room: they do not keep it for who waits.
  const piecesBytes = 2 * n * pieceBytes;
  await uploadBuffers.reserve(piecesBytes, { urgent: false, signal });
  try {
    return await storeFile(request, by, sizes);
  } finally {
    uploadBuffers.giveBack(piecesBytes);
  }
}

interface PutSizes {
  readonly shareBytes: number;
  readonly windowBytes: number;
  readonly pieceBytes: number;
}

async function storeFile(
  request: PutRequest,
  by: PutTools,
  { shareBytes, windowBytes, pieceBytes }: PutSizes,
): Promise<PutResult> {
  const { policy, sizeBytes } = request;
  const { k, n } = policy;
  const areWhole = pieceBytes >= shareBytes;
  const buffers = areWhole ? by.uploadBuffers : undefined;
  const field = by.field();
  const happy = Math.max(
    k,
    request.happy ?? Math.min(policy.repairBelow, field.peers.length * policy.maxSharesPerPeer),
  );
  const key = by.randomBytes(16);
  const uploadSecret = by.randomBytes(32);
  const storageIndex = storageIndexOfKey(key);
  // A signal of its own: each request listens to it, and one that all files share would have listeners by the thousand.
  const signal = AbortSignal.any([request.signal]);
  const transfer = by.transfer.begin({ urgent: true, signal });
  const targets = new Targets({
    storageIndex,
    shareBytes,
    areWhole,
    field,
    held: [],
    limits: policy,
    transfer,
    choice: { random: by.random },
    secrets: { leaseSecret: by.leaseSecret, uploadSecret },
  });
  const chosen = await targets.allocate(Array.from({ length: n }, (_, number) => number));
  await targets.reserve(buffers, chosen, false);
  const sendTurn = sendTurns();
  const uploads = new Map(
    chosen.map((target) => [
      target.shareNumber,
      new Upload({
        storageIndex,
        target,
        shareBytes,
        uploadSecret,
        transfer,
        pieceBytes,
        buffers,
        targets: {
          replace: (shareNumber) => targets.replace(shareNumber),
          failed: (peerId, error) => targets.refuse(peerId, error),
          put: async (to, bytes) => {
            await sendTurn(bytes.length);
            return targets.put(to, bytes);
          },
          keepsFound: (share) => targets.keepsFound(share),
        },
      }),
    ]),
  );
  const abortAll = (error: unknown): Promise<unknown> =>
    Promise.all([...uploads.values()].map((upload) => upload.abort(error)));
  if (uploads.size < happy) {
    const error = tooFew(uploads.size, happy, n, targets);
    await abortAll(error);
    throw error;
  }
  try {
    const { readCap } = await encodePlaintext({
      k,
      n,
      sizeBytes,
      key,
      plaintext: request.plaintext,
      sink: (shareNumber) => uploads.get(shareNumber) ?? null,
      signal,
      windowBytes,
    });
    await Promise.all([...uploads.values()].map((upload) => upload.ended));
    signal.throwIfAborted();
    const complete = [...uploads.values()].filter((upload) => upload.isComplete);
    if (complete.length < happy) throw tooFew(complete.length, happy, n, targets);
    const placed = new Set(complete.map((upload) => upload.shareNumber));
    return {
      kind: 'stored',
      readCap,
      verifyCap: { kind: 'verify', manifest: readCap.manifest },
      placements: complete.map(({ shareNumber, peerId }) => ({ shareNumber, peerId })),
      unplaced: Array.from({ length: n }, (_, number) => number).filter((number) => !placed.has(number)),
      shareBytes,
      bytesWritten: transfer.bytesWritten,
    };
  } catch (error) {
    await abortAll(error);
    throw error;
  }
}

async function literalOf({ plaintext, sizeBytes }: PutRequest): Promise<LiteralCap> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of plaintext) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > sizeBytes) break;
  }
  if (length !== sizeBytes) {
    throw new MeshwardError('bad-input', `the file does not have the ${sizeBytes} bytes that were given`, {
      next: 'Give its exact size, and let nothing write to it meanwhile.',
    });
  }
  return { kind: 'literal', data: new Uint8Array(Buffer.concat(chunks)) };
}

function tooFew(placed: number, happy: number, n: number, targets: Targets): MeshwardError {
  const refused = targets.refusals.length;
  return new MeshwardError(
    'repair-no-target',
    `${placed} of ${n} shares could be placed, and ${happy} are the fewest wanted; ${refused} peers refused or failed`,
    {
      next: 'Bring peers back or add some, or accept fewer shares with a smaller `happy` (never fewer than k).',
      retryable: true,
      cause: targets.refusals.find((refusal) => refusal.error !== undefined)?.error,
      details: { placed, happy, refused },
    },
  );
}
