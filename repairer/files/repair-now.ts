/** One file repaired because a person asks: every peer is asked what it holds, what it holds is checked, and the rest made anew. */
import { randomUUID } from 'node:crypto';
import { describeError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { type Policy } from '#mesh/policy.ts';
import { locateShares, type PlacedShare } from '#peers/locate.ts';
import { ownEntry } from '../queue/own-entry.ts';
import { checkedSample } from '../repair/read-back.ts';
import { type RunningRepair, startRepair } from '../repair/repair.ts';
import type { RepairTools } from '../repair/tools.ts';

export interface RepairNowRequest {
  readonly manifest: Manifest;
  readonly tag: string;
  readonly policy: Policy;
  readonly signal: AbortSignal;
}

export interface RepairNow {
  /** What was found before, in good order. */
  readonly sound: readonly PlacedShare[];
  readonly corrupt: readonly PlacedShare[];
  readonly peersAsked: number;
  readonly peersSilent: number;
  readonly repair: RunningRepair;
}

/** Does not wait for the budget. @throws the signal's reason. */
export async function repairNow(request: RepairNowRequest, tools: RepairTools): Promise<RepairNow> {
  const { manifest, policy, tag, signal } = request;
  const { mesh, runtime, settings } = tools;
  const transfer = mesh.transfer.begin({ urgent: true, signal });
  const peers = mesh.directory.peers().map((peer) => peer.peerId);
  const located = await locateShares({
    storageIndex: manifest.storageIndex,
    peers,
    list: (peerId) => transfer.listShares(peerId, manifest.storageIndex),
    enough: Number.POSITIVE_INFINITY,
    maxPeers: peers.length,
    parallel: settings.recheckParallel,
    signal,
  });
  const found = located.shares.filter((share) => share.shareNumber < manifest.n);
  const checked = await checkedSample(found, 1, { manifest, transfer, random: runtime.random });
  const corrupt = checked.bad.filter((fault) => fault.corrupt);
  for (const { peerId, shareNumber, error } of corrupt)
    await transfer.reportCorruption(peerId, manifest.storageIndex, shareNumber, describeError(error));
  const entry = ownEntry({
    manifest,
    tag,
    policy,
    placements: checked.good,
    stateOf: (peerId) => mesh.peerView.fact(peerId)?.state ?? 'up',
    cause: 'asked for by a person',
    nowMs: runtime.clock.nowMs(),
  });
  const repair = startRepair({ id: randomUUID(), entry, urgent: true, placed: [], signal }, tools);
  return {
    sound: checked.good,
    corrupt: corrupt.map(({ peerId, shareNumber }) => ({ peerId, shareNumber })),
    peersAsked: peers.length,
    peersSilent: located.unreachable.length,
    repair,
  };
}
