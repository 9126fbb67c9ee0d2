/** The peers of a mesh as the collector sees them, without disks: heartbeats, and batches over one kept connection a peer. */
import { create, toBinary } from '@bufbuild/protobuf';
import { AgentPostSchema, type PeerEvent, ShareBatchSchema, ShareEventKind } from '#mesh/generated/events_pb.js';
import { maxManifestsPerBatch } from '#mesh/limits.ts';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { type BatchColumns, postBody } from './batches.ts';
import { answerParent, ownCpuSeconds } from './child.ts';
import { encodeManifests } from './encode-manifests.ts';
import type { TextIdentity } from './identities.ts';
import { holderOf, type MeshLayout, sharesOn, storageIndexOf } from './mesh-layout.ts';
import { PostLane } from './post-lane.ts';

export interface MeshLoadStart {
  readonly port: number;
  readonly identities: readonly TextIdentity[];
  readonly layout: MeshLayout;
  readonly heartbeatMs: number;
}

export interface FileRange {
  readonly from: number;
  readonly to: number;
}

export interface SayShares extends FileRange {
  readonly kind: 'stored' | 'verified';
  readonly eventsPerBatch: number;
}

export interface PostFigures {
  readonly events: number;
  readonly posts: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Posts that were told to come again. */
  readonly putOff: number;
}

export interface ShareLoss {
  readonly file: number;
  readonly shareNumber: number;
}

interface Peer {
  readonly identity: TextIdentity;
  readonly batches: PostLane;
  readonly events: PostLane;
  batchSequence: number;
  eventSequence: number;
  /** Batches go one after the other. */
  last: Promise<void>;
}

const incarnation = 1;
let layout: MeshLayout = { files: 0, k: 1, n: 1, peers: 1 };
let peers: Peer[] = [];
let beating: NodeJS.Timeout | null = null;
let putOff = 0;

answerParent({
  async start(start: MeshLoadStart): Promise<void> {
    layout = start.layout;
    peers = await Promise.all(
      start.identities.map(async (identity) => ({
        identity,
        batches: await PostLane.connect(identity, start.port),
        events: await PostLane.connect(identity, start.port),
        batchSequence: 0,
        eventSequence: 0,
        last: Promise.resolve(),
      })),
    );
    await Promise.all(
      peers.map((peer) => tell(peer, { case: 'announce', value: { name: peer.identity.peerId.slice(0, 8) } as never })),
    );
    await beat();
    beating = setInterval(() => void beat(), start.heartbeatMs);
  },
  /** The manifest of each file, told by the peer that holds its share 0. */
  async register({ from, to }: FileRange): Promise<PostFigures> {
    return measured(async (count) => {
      await Promise.all(
        peers.map(async (peer, number) => {
          const own = [...sharesOn(layout, number, from, to)].filter(({ shareNumber }) => shareNumber === 0);
          for (let at = 0; at < own.length; at += maxManifestsPerBatch) {
            const part = own.slice(at, at + maxManifestsPerBatch);
            await send(peer, {
              eventCount: 0,
              encoded: encodeManifests(
                layout,
                part.map(({ file }) => file),
              ),
            });
            count(part.length);
          }
        }),
      );
    });
  },
  /** Every share of the files, by its peer. */
  async say({ from, to, kind, eventsPerBatch }: SayShares): Promise<PostFigures> {
    const code = kind === 'stored' ? ShareEventKind.STORED : ShareEventKind.VERIFIED;
    const queues = peers.map((_peer, number) => columnsOf(number, from, to, eventsPerBatch, code));
    return measured(async (count) => {
      await Promise.all(
        peers.map(async (peer, number) => {
          for (const columns of queues[number] as readonly BatchColumns[]) {
            await send(peer, columns);
            count(columns.eventCount);
          }
        }),
      );
    });
  },
  async lose({ file, shareNumber }: ShareLoss): Promise<void> {
    const peer = peers[holderOf(layout, file, shareNumber)] as Peer;
    const batch = create(ShareBatchSchema, {
      storageIndexes: storageIndexOf(file),
      shareNumbers: Uint8Array.of(shareNumber),
      kinds: Uint8Array.of(ShareEventKind.LOST),
    });
    await send(peer, { eventCount: 1, encoded: toBinary(ShareBatchSchema, batch) });
  },
  end() {
    if (beating !== null) clearInterval(beating);
    for (const peer of peers) {
      peer.batches.close();
      peer.events.close();
    }
  },
});

async function measured(post: (count: (events: number) => void) => Promise<void>): Promise<PostFigures> {
  const startedMs = performance.now();
  const startedCpu = ownCpuSeconds();
  const putOffBefore = putOff;
  let events = 0;
  let posts = 0;
  await post((more) => {
    events += more;
    posts++;
  });
  return {
    events,
    posts,
    seconds: (performance.now() - startedMs) / 1000,
    cpuSeconds: ownCpuSeconds() - startedCpu,
    putOff: putOff - putOffBefore,
  };
}

/** Built before the clock starts: an agent has read its batches from its spool in this form. */
function columnsOf(
  peer: number,
  from: number,
  to: number,
  eventsPerBatch: number,
  kind: ShareEventKind,
): BatchColumns[] {
  const shares = [...sharesOn(layout, peer, from, to)];
  const found: BatchColumns[] = [];
  for (let at = 0; at < shares.length; at += eventsPerBatch) {
    const part = shares.slice(at, at + eventsPerBatch);
    const storageIndexes = new Uint8Array(16 * part.length);
    part.forEach(({ file }, i) => {
      storageIndexes.set(storageIndexOf(file), 16 * i);
    });
    const batch = create(ShareBatchSchema, {
      storageIndexes,
      shareNumbers: Uint8Array.from(part, ({ shareNumber }) => shareNumber),
      kinds: new Uint8Array(part.length).fill(kind),
    });
    found.push({ eventCount: part.length, encoded: toBinary(ShareBatchSchema, batch) });
  }
  return found;
}

function send(peer: Peer, columns: BatchColumns): Promise<void> {
  const turn = peer.last.then(() => {
    const order = { incarnation, sequence: ++peer.batchSequence };
    return untilTaken(peer.batches, postBody(peer.identity.peerId, order, columns));
  });
  peer.last = turn.catch(() => undefined);
  return turn;
}

async function beat(): Promise<void> {
  await Promise.all(
    peers.map((peer) => tell(peer, { case: 'heartbeat', value: { vitals: { cpuUsedRatio: 0.1 } } as never })),
  ).catch(() => undefined); // the next one says the same
}

function tell(peer: Peer, body: PeerEvent['body']): Promise<void> {
  const value = {
    peerId: peerIdToBytes(peer.identity.peerId),
    incarnation: BigInt(incarnation),
    sequence: BigInt(++peer.eventSequence),
    observedAtMs: BigInt(Date.now()),
    body,
  };
  const post = create(AgentPostSchema, { body: { case: 'event', value } });
  return untilTaken(peer.events, [toBinary(AgentPostSchema, post)]);
}

/** As an agent does: what is put off comes again when the collector said. */
async function untilTaken(lane: PostLane, pieces: readonly Uint8Array[]): Promise<void> {
  for (;;) {
    const status = await lane.post(pieces);
    if (status === 200) return;
    if (status !== 429 && status !== 503) throw new Error(`the collector answered ${status}`);
    putOff++;
    await new Promise((resolve) => setTimeout(resolve, Math.max(100, lane.retryAfterMs)));
  }
}
