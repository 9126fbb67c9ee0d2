/** What is asked of single shares in one exchange each, or of several in a joint one: to keep a whole share, to read a range. */
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { LeaseSecrets } from '../identity/lease-secrets.ts';
import { isDiskFull } from './disk.ts';
import type { Fence, FenceRegister } from './fence.ts';
import type { FreeSpace } from './free-space.ts';
import { Refusal } from './http-exchange.ts';
import type { JointOutcome, JointPart, JointPut, JointRead } from './joint-message.ts';
import { leaseDurationMs, leaseRecord } from './lease-records.ts';
import * as message from './message.ts';
import { damagedShareStatus } from './refused-error.ts';
import type { StorageServerLimits } from './server-limits.ts';
import { type ReadableShare, type ShareFolder, UnreadableShare } from './share-folder.ts';
import type { StorageEvent } from './storage-event.ts';
import type { Uploads } from './uploads.ts';
import type { WholeOutcome, WholeShares } from './whole-shares.ts';

export interface ShareRequestsOptions {
  readonly clock: Clock;
  readonly shares: ShareFolder;
  readonly uploads: Uploads;
  readonly wholeShares: WholeShares;
  readonly fences: FenceRegister;
  readonly space: FreeSpace;
  readonly limits: StorageServerLimits;
  readonly isReadOnly: () => boolean;
  readonly counts: Counts;
  readonly onChange: (event: StorageEvent) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface Counts {
  requests: number;
  refused: number;
  failed: number;
  shareBytesRead: number;
  shareBytesWritten: number;
  sharesStored: number;
}

/** A share that is to be kept, before its bytes are looked at. */
export interface WholePart extends LeaseSecrets {
  readonly index: StorageIndex;
  readonly shareNumber: number;
  readonly fence?: Fence | undefined;
}

export class ShareRequests {
  readonly #options: ShareRequestsOptions;

  constructor(options: ShareRequestsOptions) {
    this.#options = options;
  }

  /** @throws Refusal 409 where a newer owner of the scope was seen. */
  async admit(fence: Fence | undefined): Promise<void> {
    if (fence !== undefined && !(await this.#options.fences.admit(fence))) throw new Refusal(409, 'fenced');
  }

  /** Whether the share may come as far as fences and uploads go, with a fresh measurement of the room there is. @throws Refusal */
  async accept({ index, shareNumber, fence }: WholePart): Promise<void> {
    const { uploads, fences, space } = this.#options;
    await this.admit(fence);
    const current = uploads.find(index, shareNumber);
    if (current !== undefined) {
      if (current.fence === undefined || !fences.isOutdated(current.fence)) {
        throw new Refusal(409, 'another upload of it is going on');
      }
      await uploads.abort(current);
    }
    await space.measure();
  }

  /** @param left room that is not taken by others. @throws Refusal 507 */
  checkRoom(sizeBytes: number, left: number): void {
    const { limits, isReadOnly } = this.#options;
    if (isReadOnly() || sizeBytes > limits.maxShareBytes || sizeBytes > left) throw new Refusal(507, 'no room for it');
  }

  /** Memory for what is about to come. @returns what gives it back. @throws Refusal 503 */
  promise(bytes: number): () => void {
    const { wholeShares, limits } = this.#options;
    if (wholeShares.promisedBytes + bytes > limits.maxWholeShareBytes) throw new Refusal(503, 'too much at once');
    return wholeShares.promise(bytes);
  }

  /** Resolves when an accepted share is durable, and told of. */
  async store(part: WholePart, bytes: Uint8Array): Promise<WholeOutcome> {
    const { clock, wholeShares, shares, fences, counts, isReadOnly, onChange } = this.#options;
    const { index, shareNumber, fence } = part;
    const check = (): void => {
      // Whoever sends it was replaced meanwhile: the share must not appear.
      if (fence !== undefined && fences.isOutdated(fence)) throw new Refusal(409, 'fenced');
    };
    const lease = leaseRecord(2, 0, part, clock.nowMs() + leaseDurationMs);
    const sizeBytes = bytes.length;
    const outcome = await wholeShares.store({ index, shareNumber, parts: [bytes], sizeBytes, lease, check });
    if (outcome === 'held') {
      if (!isReadOnly()) await shares.addOrRenewLeases(index, part, 0);
      return outcome;
    }
    counts.shareBytesWritten += sizeBytes;
    counts.sharesStored++;
    onChange({ kind: 'stored', storageIndex: index, shareNumber, shareBytes: sizeBytes });
    return outcome;
  }

  /**
   * All parts of a joint exchange, each with an outcome of its own. Those that are to be kept are made durable together.
   * @param room what there is for them, by the last measurement.
   */
  async all(parts: readonly JointPart[], room: () => number): Promise<JointOutcome[]> {
    let takenBytes = 0;
    const accepted = new Map<JointPart, Promise<void>>();
    for (const part of parts) if (part.kind === 'put') accepted.set(part, this.accept(part));
    // Before any of them is stored, so that all are stored in the same turn; each failure is met in its part's turn.
    const ready = Promise.allSettled(accepted.values());
    const keep = async (part: JointPut): Promise<JointOutcome> => {
      await ready;
      await accepted.get(part);
      this.checkRoom(part.bytes.length, room() - takenBytes);
      takenBytes += part.bytes.length;
      return { status: (await this.store(part, part.bytes)) === 'stored' ? 201 : 200 };
    };
    return Promise.all(
      parts.map((part) =>
        (part.kind === 'put' ? keep(part) : this.#read(part)).catch((error: unknown) => {
          const { status, message: said } = this.refusalOf(error);
          return { status, error: said };
        }),
      ),
    );
  }

  async #read({ index, shareNumber, offset, length }: JointRead): Promise<JointOutcome> {
    const { shares, counts } = this.#options;
    const bytes = await this.soundly(index, shareNumber, async () => {
      const part = await shares.readPart(index, shareNumber, offset, length);
      if (part !== undefined) return part?.bytes ?? null;
      return shares.withShare(index, shareNumber, (share) => rangeOf(share, offset, length));
    });
    if (bytes === null) throw new Refusal(404, 'no such share');
    if (bytes.length === 0) return { status: 204 };
    counts.shareBytesRead += bytes.length;
    return { status: 206, bytes };
  }

  /** A container that cannot be read is a bad share, and not a failure of this server: both sides are told. */
  async soundly<T>(index: StorageIndex, shareNumber: number, use: () => Promise<T>): Promise<T> {
    try {
      return await use();
    } catch (error) {
      if (!(error instanceof UnreadableShare)) throw error;
      this.#options.onChange({ kind: 'corruption-reported', storageIndex: index, shareNumber });
      throw new Refusal(damagedShareStatus, error.message);
    }
  }

  /** How a failure is answered; counted, and told of where it is this server's. */
  refusalOf(error: unknown): Refusal {
    const { counts, onFailure } = this.#options;
    const isMalformed = error instanceof message.MalformedMessage;
    if (error instanceof Refusal || isMalformed) {
      counts.refused++;
      return isMalformed ? new Refusal(400, error.message) : error;
    }
    counts.failed++;
    const isFull = isDiskFull(error);
    onFailure(isFull ? fullDisk(error) : error);
    return isFull ? new Refusal(507, 'no space left') : new Refusal(500, 'internal failure');
  }
}

function fullDisk(cause: unknown): MeshwardError {
  return new MeshwardError('disk-full', 'a share was refused, since the disk that holds the shares is full', {
    next: 'Make room on it, or drain this peer; it takes shares again by itself.',
    retryable: true,
    cause,
  });
}

/** Fewer bytes where the share ends. */
async function rangeOf(share: ReadableShare, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, share.dataBytes - offset)));
  if (bytes.length > 0 && (await share.read(bytes, offset)) < bytes.length) {
    throw new Error('the share file became shorter while it was read');
  }
  return bytes;
}
