/** Reads shares back from the peers that took them: the whole chain of hashes, and a block drawn at random. */
import { type Random, shuffled } from '#mesh/clock.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { WorkTransfer } from '#peers/transfer.ts';
import { isShareError, openShare } from '#tahoe/share/index.ts';
import type { SourceFault } from './sources.ts';

export interface ReadBack {
  readonly manifest: Manifest;
  readonly transfer: WorkTransfer;
  readonly random: Random;
}

export interface CheckedShares {
  readonly good: readonly PlacedShare[];
  readonly bad: readonly SourceFault[];
}

/**
 * Checks a random sample; when one of it is bad, all are checked. The unchecked rest of a good sample is believed.
 *
 * @param ratio part of the shares to check, at least one of them.
 */
export async function checkedSample(
  shares: readonly PlacedShare[],
  ratio: number,
  by: ReadBack,
): Promise<CheckedShares> {
  if (shares.length === 0) return { good: [], bad: [] };
  const order = shuffled(shares, by.random);
  const sampleCount = Math.min(order.length, Math.max(1, Math.ceil(order.length * ratio)));
  const sample = await checkAll(order.slice(0, sampleCount), by);
  const rest = order.slice(sampleCount);
  const others = sample.bad.length === 0 ? { good: rest, bad: [] } : await checkAll(rest, by);
  const good = [...sample.good, ...others.good].sort((a, b) => a.shareNumber - b.shareNumber);
  return { good, bad: [...sample.bad, ...others.bad] };
}

async function checkAll(shares: readonly PlacedShare[], by: ReadBack): Promise<CheckedShares> {
  const errors = await Promise.all(shares.map((share) => checkOne(share, by)));
  by.transfer.signal.throwIfAborted();
  const good: PlacedShare[] = [];
  const bad: SourceFault[] = [];
  for (const [i, share] of shares.entries()) {
    const error = errors[i];
    if (error === undefined) good.push(share);
    else bad.push({ ...share, error, corrupt: isShareError(error) });
  }
  return { good, bad };
}

/** The error, or undefined where the share is as it should be. */
async function checkOne(
  { peerId, shareNumber }: PlacedShare,
  { manifest, transfer, random }: ReadBack,
): Promise<unknown> {
  try {
    const share = await openShare(transfer.source(peerId, manifest.storageIndex, shareNumber), manifest, shareNumber);
    share.letGo(await share.readBlocks(Math.floor(random() * share.layout.segmentCount), 1));
    await share.close();
    return undefined;
  } catch (error) {
    return error ?? new Error('it could not be read');
  }
}
