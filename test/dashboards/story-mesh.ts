/**
 * A mesh that lives through a day in steps of a minute, so that dashboards have something to show: 120 peers in twelve zones, 400
 * files. Five peers flap at eight; at two in the afternoon the largest zone goes and disks of other peers are wiped; repair
 * restores one file after another, the worst first; the zone returns at nine. A few files had few shares from the start: they become critical, one is lost.
 */
import { createHash } from 'node:crypto';
import { type DemoPeer, demoPeers, largestZone } from '#demo/layout.ts';
import { type Random, seededRandom } from '#mesh/clock.ts';
import { type Grade, gradeOf } from '#mesh/grade.ts';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import type { PeerState } from '#mesh/peer-state.ts';
import { defaultPolicy, type Policy } from '#mesh/policy.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';

export const minuteMs = 60_000;
export const dayMinutes = 24 * 60;
/** Minutes of the day. */
export const moments = {
  flap: 480,
  zoneLost: 840,
  repairBegins: 850,
  zoneReturns: 1260,
  upgrade: 360,
  proofs: 1080,
} as const;
/** Two files lose what is left of them with the zone. */
export const lostFiles = 2;

export interface StoryPeer extends DemoPeer {
  readonly id: PeerId;
  readonly capacityBytes: number;
  state: PeerState;
  stateSince: number;
  flapScore: number;
  agentVersion: string;
  sharesVerified: number;
  networkReceived: number;
  networkSent: number;
}

export interface StoryFile {
  readonly index: StorageIndex;
  readonly policy: Policy;
  readonly tag: string;
  readonly sizeBytes: number;
  readonly uebHash: Uint8Array;
  /** Who holds the share of each number; null where nobody does. */
  readonly holders: (StoryPeer | null)[];
  grade: Grade | null;
  previousGrade: Grade | null;
  gradeSince: number;
  available: number;
  counted: number;
  changed: boolean;
}

export interface StoryRepair {
  readonly file: StoryFile;
  readonly minute: number;
  readonly before: number;
  readonly wanted: readonly number[];
  readonly targets: readonly StoryPeer[];
  readonly sources: readonly StoryPeer[];
  readonly failed: boolean;
}

const coding = { k: 25, n: 100 };
const smallCoding = { k: 3, n: 10 };
const suspectMinutes = 5;
const repairsAMinute = 1;

export class StoryMesh {
  readonly peers: StoryPeer[];
  readonly files: StoryFile[];
  readonly random: Random = seededRandom(11);
  readonly lostZone: string;
  readonly changes: { peer: StoryPeer; from: PeerState; to: PeerState }[] = [];
  readonly repairs: StoryRepair[] = [];
  readonly repaired = new Set<StoryFile>();
  #minute = -1;
  readonly #flapping: readonly StoryPeer[];

  constructor() {
    const layout = demoPeers(120);
    this.lostZone = largestZone(layout);
    this.peers = layout.map((peer) => ({
      ...peer,
      id: peerIdFromBytes(digest(`peer ${peer.name}`)),
      capacityBytes: (2 + (peer.name.length % 3)) * 1e12,
      state: 'up',
      stateSince: 0,
      flapScore: 0,
      agentVersion: '0.1.0',
      sharesVerified: 0,
      networkReceived: 0,
      networkSent: 0,
    }));
    this.#flapping = this.peers.filter(({ zone }) => zone === 'elm').slice(0, 5);
    this.files = Array.from({ length: 400 }, (_, number) => this.#newFile(number));
  }

  #newFile(number: number): StoryFile {
    const { k, n } = number % 10 === 9 ? smallCoding : coding;
    const order = [...this.peers].sort(() => this.random() - 0.5);
    const holders = Array.from({ length: n }, (_, share) => order[share % order.length] as StoryPeer | null);
    // Files that lived in one zone for the most part, as a bad placement leaves them.
    if (number < 6) {
      const zone = this.peers.filter((peer) => peer.zone === this.lostZone);
      for (const share of holders.keys()) holders[share] = share < zone.length ? (zone[share] as StoryPeer) : null;
      const others = this.peers.filter((peer) => peer.zone !== this.lostZone);
      const more = number < lostFiles ? k + 15 : k + 2 + 3 * number;
      for (let i = 0; i < more; i++) holders[zone.length + i] = others[i * 2] as StoryPeer;
    }
    const hash = digest(`file ${number}`);
    return {
      index: storageIndexFromBytes(hash),
      policy: defaultPolicy({ k, n }),
      tag: ['', 'archive', 'photos'][number % 3] as string,
      sizeBytes: 1_000_000 + (number % 50) * 40_000_000,
      uebHash: new Uint8Array(digest(`ueb ${number}`)),
      holders,
      grade: null,
      previousGrade: null,
      gradeSince: 0,
      available: 0,
      counted: 0,
      changed: false,
    };
  }

  /** One minute on: `changes` and `repairs` are then those of this minute. */
  step(): number {
    const minute = ++this.#minute;
    this.changes.length = 0;
    this.repairs.length = 0;
    this.#events(minute);
    for (const peer of this.peers) this.#host(peer, minute);
    this.#judge(minute);
    if (minute >= moments.repairBegins) this.#repair(minute);
    return minute;
  }

  #events(minute: number): void {
    const zone = this.peers.filter((peer) => peer.zone === this.lostZone);
    for (const [index, peer] of this.#flapping.entries()) {
      const phase = minute - moments.flap - index * 3;
      if (phase < 0 || phase > 184) continue;
      if (phase % 30 === 0) this.#turn(peer, 'suspect', minute);
      if (phase % 30 === 4) {
        this.#turn(peer, 'up', minute);
        peer.flapScore += 1;
      }
    }
    // So short that both changes are told in one row of time.
    if (minute === 400) {
      this.#turn(this.peers[70] as StoryPeer, 'suspect', minute);
      this.#turn(this.peers[70] as StoryPeer, 'up', minute);
    }
    if (minute === 200) this.#turn(this.peers[60] as StoryPeer, 'suspect', minute);
    if (minute === 205) this.#turn(this.peers[60] as StoryPeer, 'down', minute);
    if (minute === 320) this.#turn(this.peers[60] as StoryPeer, 'up', minute);
    if (minute === 700) this.#turn(this.peers[90] as StoryPeer, 'draining', minute);
    if (minute === moments.upgrade)
      for (const [index, peer] of this.peers.entries()) if (index % 2 === 0) peer.agentVersion = '0.2.0';
    if (minute === moments.zoneLost) {
      for (const peer of zone) this.#turn(peer, 'suspect', minute);
      const wiped = new Set(
        this.peers.filter(({ zone: name }, i) => name !== this.lostZone && i % 2 === 1).slice(0, 44),
      );
      for (const file of this.files.slice(0, lostFiles)) file.holders.fill(null, zone.length + file.policy.k - 5);
      for (const file of this.files.slice(6))
        for (const [share, holder] of file.holders.entries())
          if (holder !== null && wiped.has(holder)) file.holders[share] = null;
    }
    if (minute === moments.zoneLost + suspectMinutes) for (const peer of zone) this.#turn(peer, 'down', minute);
    if (minute === moments.zoneReturns) for (const peer of zone) this.#turn(peer, 'up', minute);
  }

  #turn(peer: StoryPeer, to: PeerState, minute: number): void {
    this.changes.push({ peer, from: peer.state, to });
    peer.state = to;
    peer.stateSince = minute;
  }

  /** Counters of a host; those of a silent one stand still, and begin anew when it returns. */
  #host(peer: StoryPeer, minute: number): void {
    if (peer.state === 'down' || peer.state === 'suspect') {
      if (peer.state === 'down') Object.assign(peer, { networkReceived: 0, networkSent: 0, sharesVerified: 0 });
      return;
    }
    const load = 1 + Math.sin((minute / dayMinutes) * 2 * Math.PI - 2);
    peer.sharesVerified += 3;
    peer.networkReceived += Math.round(2e6 * (1 + load) + this.random() * 1e6);
    peer.networkSent += Math.round(5e6 * (1 + load) + this.random() * 3e6);
  }

  #judge(minute: number): void {
    for (const file of this.files) {
      const available = file.holders.filter((peer) => peer !== null && isAvailable(peer.state)).length;
      const counted = file.holders.filter((peer) => peer !== null && isCounted(peer.state)).length;
      const grade = gradeOf(available, file.policy);
      file.changed = available !== file.available || file.grade === null;
      file.previousGrade = file.grade;
      if (grade !== file.grade) file.gradeSince = minute;
      Object.assign(file, { available, counted, grade });
    }
  }

  /** The worst first. */
  #repair(minute: number): void {
    const waiting = this.files
      .filter(({ counted, policy, available }) => counted < policy.repairBelow && available >= policy.k)
      .sort((a, b) => a.available - b.available)
      .slice(0, repairsAMinute);
    for (const file of waiting) {
      const failed = minute % 23 === 0;
      const sources = file.holders.filter((peer) => peer !== null && isAvailable(peer.state)).slice(0, file.policy.k);
      const missing = [...file.holders.keys()].filter((share) => {
        const peer = file.holders[share];
        return peer === null || peer === undefined || !isAvailable(peer.state);
      });
      const wanted = missing.slice(0, file.policy.repairUpTo - file.available);
      const holding = new Set(file.holders);
      const free = this.peers.filter((peer) => peer.state === 'up' && !holding.has(peer));
      const fit = failed ? [] : wanted.slice(0, free.length);
      const targets = fit.map((share, i) => {
        const target = free[(i * 7 + minute) % free.length] as StoryPeer;
        file.holders[share] = target;
        return target;
      });
      if (!failed) this.repaired.add(file);
      this.repairs.push({
        file,
        minute,
        before: file.available,
        wanted,
        targets,
        sources: sources as StoryPeer[],
        failed,
      });
    }
  }
}

export function isAvailable(state: PeerState): boolean {
  return state === 'up' || state === 'draining';
}

function isCounted(state: PeerState): boolean {
  return state === 'up' || state === 'suspect' || state === 'maintenance';
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
