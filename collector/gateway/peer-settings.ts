/** The central settings in a peer's enrolment. */
import { create } from '@bufbuild/protobuf';
import {
  type EnrolledPeer,
  EnrolledPeerSchema,
  type PeerSettings,
  PeerSettingsSchema,
} from '#mesh/generated/events_pb.js';

export function settingsOf(peer: EnrolledPeer): PeerSettings {
  return peer.settings ?? create(PeerSettingsSchema);
}

/** How often its agent was asked for an inventory. */
export function inventoryRequestOf(peer: EnrolledPeer | undefined): bigint {
  return peer?.settings?.inventoryRequest ?? 0n;
}

/** The version stays: from 2 on it says that an operator chose the rates, which overrule the agent's own. */
export function withInventoryRequest(peer: EnrolledPeer | undefined, wanted: bigint): EnrolledPeer | null {
  if (peer === undefined) return null;
  if (inventoryRequestOf(peer) >= wanted) return peer;
  const settings = create(PeerSettingsSchema, { ...settingsOf(peer), inventoryRequest: wanted });
  return create(EnrolledPeerSchema, { ...peer, settings });
}
