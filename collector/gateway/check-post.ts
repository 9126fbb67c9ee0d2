/** What a peer may say, and in which shape. Parsed once here; behind the gateway it is trusted. */
import type { Message } from '@bufbuild/protobuf';
import {
  type AgentPost,
  type Announce,
  type FileManifest,
  type HostVitals,
  InventoryPhase,
  ManifestOrigin,
  type PeerEvent,
  type ShareBatch,
  ShareEventKind,
} from '#mesh/generated/events_pb.js';
import type { EventOrder } from '#mesh/incarnation.ts';
import { maxEventsPerBatch, maxManifestsPerBatch, maxTextLength } from '#mesh/limits.ts';
import { peerIdBytes } from '#mesh/peer-id.ts';
import { storageIndexBytes } from '#mesh/storage-index.ts';
import { malformed } from './read-post.ts';

export type CheckedPost =
  | {
      readonly kind: 'batch';
      readonly batch: ShareBatch;
      readonly order: EventOrder;
      readonly eventCount: number;
      /** It has events of a kind, or an inventory in a phase, that a newer release knows. */
      readonly holdsUnknown: boolean;
    }
  | { readonly kind: 'event'; readonly event: PeerEvent; readonly order: EventOrder };

/** Latest time that a Date can hold. */
const maxTimeMs = 8_640_000_000_000_000n;
/** Most kinds of failure domains that one peer has. */
export const maxDomains = 16;
const firstKind: number = ShareEventKind.STORED;
const lastKind: number = ShareEventKind.CORRUPT;

/**
 * Checks a peer's post, and takes from its manifests what only an owner may say: their origin becomes DERIVED, and their
 * tag, which would choose the file's policy, empty. Share events of kinds that a newer release knows may pass: their columns
 * are sound, and the analyzer keeps them apart.
 * @throws MeshwardError `batch-malformed` with what is wrong; the reason repeats nothing that was sent.
 */
export function checkPost(post: AgentPost): CheckedPost {
  switch (post.body.case) {
    case 'batch':
      return checkBatch(post.body.value);
    case 'event':
      return checkEvent(post.body.value);
    case undefined:
      throw malformed('it has neither a batch nor an event');
  }
}

function checkBatch(batch: ShareBatch): CheckedPost {
  const order = checkOrder(batch);
  const eventCount = batch.kinds.length;
  if (batch.shareNumbers.length !== eventCount || batch.storageIndexes.length !== eventCount * storageIndexBytes) {
    throw malformed('its columns do not have one length');
  }
  if (eventCount > maxEventsPerBatch) throw malformed(`it has more than ${maxEventsPerBatch} events`);
  let holdsUnknown = checkKinds(batch.kinds);
  if (batch.deletedFiles.length > 0) throw malformed('only operators delete files');
  if (batch.manifests.length > maxManifestsPerBatch)
    throw malformed(`it has more than ${maxManifestsPerBatch} manifests`);
  for (const manifest of batch.manifests) {
    checkManifest(manifest);
    manifest.origin = ManifestOrigin.DERIVED;
    manifest.tag = '';
  }
  if (batch.inventory !== undefined) {
    const { phase, generation } = batch.inventory;
    if (phase < InventoryPhase.BEGIN) throw malformed('its inventory neither begins nor ends');
    if (phase > InventoryPhase.END) holdsUnknown = true;
    if (generation < 1) throw malformed('its inventory generation is not counted from 1');
  }
  return { kind: 'batch', batch, order, eventCount, holdsUnknown };
}

/** A share number is a byte and so below 256 by itself; a kind is a byte too. @returns whether a newer release knows one of them. */
function checkKinds(kinds: Uint8Array): boolean {
  let smallest = 255;
  let largest = 0;
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i] as number;
    if (kind < smallest) smallest = kind;
    if (kind > largest) largest = kind;
  }
  if (kinds.length > 0 && smallest < firstKind) throw malformed('it has an event of no kind');
  return largest > lastKind;
}

function checkManifest(manifest: FileManifest): void {
  if (manifest.storageIndex.length !== storageIndexBytes)
    throw malformed('the storage index of a manifest is not 16 bytes');
  if (manifest.uebHash.length !== 32) throw malformed('the UEB hash of a manifest is not 32 bytes');
  const { k, n } = manifest;
  if (k < 1 || k > n || n > 256) throw malformed('the coding of a manifest is not within 1 ≤ k ≤ n ≤ 256');
  checkWhole(manifest.sizeBytes, 'the size of a manifest');
  checkText(manifest.tag, 'the tag of a manifest');
}

function checkEvent(event: PeerEvent): CheckedPost {
  const order = checkOrder(event);
  const { body } = event;
  switch (body.case) {
    case 'announce':
      checkAnnounce(body.value);
      break;
    case 'heartbeat':
      if (body.value.vitals !== undefined) checkVitals(body.value.vitals);
      break;
    case 'drain':
      break;
    case 'maintenance':
      checkTime(body.value.untilMs);
      checkText(body.value.reason, 'the reason');
      break;
    case 'depart':
      checkText(body.value.reason, 'the reason');
      break;
    case undefined:
      throw malformed('its event says nothing');
  }
  return { kind: 'event', event, order };
}

function checkAnnounce(announce: Announce): void {
  checkText(announce.name, 'the name');
  checkText(announce.agentVersion, 'the version');
  checkText(announce.host, 'the host');
  if (announce.port > 65_535) throw malformed('the port is not below 65536');
  checkWhole(announce.capacityBytes, 'the capacity');
  checkDomains(announce.domains);
}

function checkDomains(domains: Readonly<Record<string, string>>): void {
  const entries = Object.entries(domains);
  if (entries.length > maxDomains) throw malformed(`it names more than ${maxDomains} failure domains`);
  for (const [kind, label] of entries) {
    if (!domainKindPattern.test(kind))
      throw malformed('the kind of a failure domain is not a short word in lower case');
    if (label === '') throw malformed('a failure domain has no label');
    checkText(label, 'a failure domain');
  }
}

/** The kinds of failure domains: operator, region, zone, rack, network, and what else an operator counts by. */
export const domainKindPattern = /^[a-z][a-z0-9_-]{0,39}$/;

function checkVitals(vitals: HostVitals): void {
  const { cpuUsedRatio } = vitals;
  if (!(cpuUsedRatio >= 0 && cpuUsedRatio <= 1)) throw malformed('the CPU ratio is not within 0 … 1');
  for (const value of Object.values(vitals)) if (typeof value === 'bigint') checkWhole(value, 'a figure of the host');
}

function checkOrder(said: (ShareBatch | PeerEvent) & Message): EventOrder {
  if (said.peerId.length !== peerIdBytes) throw malformed('its peer id is not 32 bytes');
  checkWhole(said.incarnation, 'the incarnation');
  checkWhole(said.sequence, 'the sequence');
  if (said.incarnation < 1n || said.sequence < 1n) throw malformed('incarnation and sequence are counted from 1');
  checkTime(said.observedAtMs);
  return { incarnation: Number(said.incarnation), sequence: Number(said.sequence) };
}

function checkTime(ms: bigint): void {
  if (ms > maxTimeMs) throw malformed('a time is beyond every calendar');
}

function checkWhole(value: bigint, what: string): void {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(`${what} is larger than 2^53 − 1`);
}

/** Names and reasons are shown in terminals and pages: no control characters, no broken text. */
function checkText(text: string, what: string): void {
  if (!isPlainText(text)) throw malformed(`${what} is longer than ${maxTextLength} characters or not printable`);
}

function isPlainText(text: string): boolean {
  return text.length <= maxTextLength && isPrintable(text);
}

/** Well-formed, and without what moves a terminal's cursor or turns the direction of a line. */
export function isPrintable(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}|\p{Bidi_Control}/u.test(text);
}
