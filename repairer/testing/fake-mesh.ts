/** A mesh of peers in memory that hold real shares of real files, with everything around them that a repair needs. */
import { createHash } from 'node:crypto';
import { metrics, trace } from '@opentelemetry/api';
import { type ReadCap, storageIndexOfKey } from '#mesh/caps.ts';
import { type Random, seededRandom } from '#mesh/clock.ts';
import type { Coding } from '#mesh/coding.ts';
import { gradeOf, marginOf } from '#mesh/grade.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Domains, PeerState } from '#mesh/peer-state.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { createBudget } from '#peers/budget.ts';
import { createPeerContact } from '#peers/peer-contact.ts';
import { createPeerView, type PeerFact, type PeerView } from '#peers/peer-view.ts';
import type { ReaderWords } from '#peers/reader-words.ts';
import { createTransfer, defaultTransferLimits } from '#peers/transfer.ts';
import { encodePlaintext, type ShareSink } from '#tahoe/share/index.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import { defaultRepairSettings, type RepairTools } from '../repair/tools.ts';
import { FakePeer } from './fake-peer.ts';

export interface FakeFile {
  readonly cap: ReadCap;
  readonly manifest: Manifest;
  readonly plaintext: Uint8Array;
  /** Share data by number: what every restored share must equal. */
  readonly shares: readonly Uint8Array[];
}

/** What readers said, as text. */
export function fakeWords(said: string[]): ReaderWords {
  return {
    found: (_index, { shareNumber, peerId }) => said.push(`found ${shareNumber} ${peerId}`),
    reached: (peerId) => said.push(`reached ${peerId}`),
    notReached: (peerId) => said.push(`not reached ${peerId}`),
    claims: (peerId, held, failed) => said.push(`claims ${held} ${failed} ${peerId}`),
    flush: () => Promise.resolve(),
  };
}

export interface FakeMesh {
  readonly said: string[];
  readonly peers: readonly FakePeer[];
  readonly clock: ManualClock;
  readonly random: Random;
  readonly tools: RepairTools;
  readonly peerView: PeerView;
  /** All that is held of the peer. */
  replaceFact(peer: FakePeer, fact: PeerFact): Promise<void>;
  /** How old what is held of the peers shall be. */
  setPeersAge(ageMs: number): void;
  setState(peer: FakePeer, state: PeerState): Promise<void>;
  /** Changes what is held of a peer and nothing else. */
  setFact(peer: FakePeer, change: Partial<PeerFact>): Promise<void>;
}

export async function fakeMesh(
  peerCount: number,
  options: { seed?: number; domainsOf?: (at: number) => Domains } = {},
): Promise<FakeMesh> {
  const clock = new ManualClock();
  const random = seededRandom(options.seed ?? 1);
  const peers = Array.from({ length: peerCount }, (_, at) => new FakePeer(at + 1, clock));
  const byId = new Map(peers.map((peer) => [peer.peerId, peer]));
  const facts = new Map<PeerId, PeerFact>(
    peers.map((peer, at) => [
      peer.peerId,
      { peerId: peer.peerId, state: 'up', freeBytes: 1e12, domains: options.domainsOf?.(at) ?? { zone: `z${at % 3}` } },
    ]),
  );
  const age = { ms: 0 };
  const peerView = createPeerView({ facts: () => [...facts.values()], ageMs: () => age.ms }, 15_000);
  const contact = createPeerContact({ clock });
  const transfer = createTransfer({
    storageOf: (peerId) => byId.get(peerId),
    domainsOf: (peerId) => facts.get(peerId)?.domains ?? {},
    budget: createBudget({ bytesPerSecond: 0 }, clock),
    contact,
    limits: defaultTransferLimits,
  });
  const directoryPeers = peers.map((peer, at) => ({
    peerId: peer.peerId,
    name: `peer-${at}`,
    domains: facts.get(peer.peerId)?.domains ?? {},
    revoked: false,
  }));
  const tools: RepairTools = {
    mesh: {
      transfer,
      contact,
      peerView,
      directory: {
        peer: (peerId) => directoryPeers.find((peer) => peer.peerId === peerId),
        peers: () => directoryPeers,
      },
    },
    policies: [],
    runtime: {
      clock,
      random,
      randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)),
      leaseSecret: new Uint8Array(32).fill(7),
    },
    settings: { ...defaultRepairSettings, windowBytes: 1024 * 1024, readBackRatio: 1 },
  };
  const setFact = async (peer: FakePeer, change: Partial<PeerFact>): Promise<void> => {
    facts.set(peer.peerId, { ...(facts.get(peer.peerId) as PeerFact), ...change });
    peerView.refresh();
    await Promise.resolve();
  };
  return {
    peers,
    clock,
    random,
    tools,
    said: [],
    peerView,
    replaceFact(peer, fact) {
      facts.set(peer.peerId, fact);
      peerView.refresh();
      return Promise.resolve();
    },
    setPeersAge: (ageMs) => {
      age.ms = ageMs;
    },
    setFact,
    async setState(peer, state) {
      peer.down = state !== 'up' && state !== 'draining';
      await setFact(peer, { state });
    },
  };
}

/** Encodes a file and hands out its shares, one a peer from the first on, as far as there are peers. */
export async function storeFile(
  mesh: Pick<FakeMesh, 'peers'>,
  coding: Coding,
  sizeBytes: number,
  seed = 1,
  segmentBytes?: number,
): Promise<FakeFile> {
  const file = await makeFile(coding, sizeBytes, seed, segmentBytes);
  for (const [number, share] of file.shares.entries()) {
    mesh.peers[number]?.shares.set(`${file.manifest.storageIndex}/${number}`, share.slice());
  }
  return file;
}

export async function makeFile(
  { k, n }: Coding,
  sizeBytes: number,
  seed: number,
  segmentBytes?: number,
): Promise<FakeFile> {
  const key = createHash('sha256').update(`key ${seed}`).digest().subarray(0, 16);
  const plaintext = new Uint8Array(sizeBytes);
  const random = seededRandom(seed);
  for (let i = 0; i < sizeBytes; i++) plaintext[i] = Math.floor(random() * 256);
  const shares: Uint8Array[] = Array.from({ length: n }, () => new Uint8Array(0));
  const sink = (number: number): ShareSink => ({
    begin: (totalBytes) => {
      shares[number] = new Uint8Array(totalBytes);
      return Promise.resolve();
    },
    write: (offset, bytes) => {
      (shares[number] as Uint8Array).set(bytes, offset);
      return Promise.resolve();
    },
    end: () => Promise.resolve(),
  });
  const { readCap } = await encodePlaintext({ k, n, sizeBytes, key, plaintext: [plaintext], sink, segmentBytes });
  if (readCap.manifest.storageIndex !== storageIndexOfKey(key))
    throw new Error('the file is stored under another name');
  return { cap: readCap, manifest: readCap.manifest, plaintext, shares };
}

/** The entry that an analyzer would write of the file as it stands. */
export function entryOf(mesh: FakeMesh, file: FakeFile, change: Partial<AtRiskEntry> = {}): AtRiskEntry {
  const { manifest } = file;
  const policy = defaultPolicy(manifest);
  const placements = mesh.peers.flatMap((peer) =>
    peer
      .numbersOf(manifest.storageIndex)
      .map((shareNumber) => ({ shareNumber, peerId: peer.peerId, available: !peer.down })),
  );
  const available = new Set(
    placements.filter((placement) => placement.available).map((placement) => placement.shareNumber),
  ).size;
  return {
    manifest,
    tag: '',
    grade: gradeOf(available, policy),
    available,
    retained: new Set(placements.map((placement) => placement.shareNumber)).size,
    counted: available,
    margin: marginOf(available, manifest.k),
    placements,
    cause: 'peers went down',
    sinceMs: mesh.clock.nowMs(),
    updatedAtMs: mesh.clock.nowMs(),
    risk: 1,
    repairUpTo: policy.repairUpTo,
    maxSharesPerPeer: 1,
    maxSharesPerDomain: manifest.n,
    revision: 1,
    ownerGeneration: 1,
    ...change,
  };
}

export const noMeter = metrics.getMeter('test');
export const noTracer = trace.getTracer('test');
