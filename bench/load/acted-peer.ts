/** A peer as the collector sees it, without a disk: one kept connection on which one post is under way at a time. */
import { create, toBinary } from '@bufbuild/protobuf';
import { AgentPostSchema, HeartbeatSchema, HostVitalsSchema, type PeerEvent } from '#mesh/generated/events_pb.js';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { type BatchColumns, postBody } from './batches.ts';
import type { TextIdentity } from './identities.ts';
import { PostLane } from './post-lane.ts';

export const actedIncarnation = 1;

export class ActedPeer {
  /** Posts that were told to come again, of all peers of this process. */
  static putOff = 0;
  readonly #lane: PostLane;
  #batchSequence = 0;
  #eventSequence = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(lane: PostLane) {
    this.#lane = lane;
  }

  static async connect(identity: TextIdentity, port: number): Promise<ActedPeer> {
    return new ActedPeer(await PostLane.connect(identity, port));
  }

  announce(): Promise<number> {
    return this.#tell({ case: 'announce', value: { name: this.#lane.identity.peerId.slice(0, 8) } as never });
  }

  /** @returns milliseconds from the post to its acknowledgement. */
  heartbeat(intervalMs: number, sharesHeld: number): Promise<number> {
    const vitals = create(HostVitalsSchema, {
      cpuUsedRatio: Math.random() / 10,
      memoryUsedBytes: BigInt(Math.round(4e9 + 1e8 * Math.random())),
      diskUsedBytes: 2_000_000_000_000n,
      diskCapacityBytes: 4_000_000_000_000n,
      networkReceivedBytes: BigInt(Math.round(performance.now() * 1000)),
      networkSentBytes: BigInt(Math.round(performance.now() * 900)),
      sharesHeld: BigInt(sharesHeld),
      shareBytesHeld: BigInt(sharesHeld) * 333_000n,
      sharesVerified: BigInt(Math.round(performance.now() / 100)),
      processMemoryBytesMib: 100,
    });
    return this.#tell({ case: 'heartbeat', value: create(HeartbeatSchema, { vitals, intervalMs }) });
  }

  /** @returns milliseconds, as for a heartbeat. */
  send(columns: BatchColumns): Promise<number> {
    return this.#inTurn(() => {
      const order = { incarnation: actedIncarnation, sequence: ++this.#batchSequence };
      return this.#untilTaken(postBody(this.#lane.identity.peerId, order, columns));
    });
  }

  askSettings(): Promise<number> {
    return this.#inTurn(async () => {
      const status = await this.#lane.askSettings();
      if (status !== 304) throw new Error(`the collector answered ${status} when it was asked for settings`);
    });
  }

  close(): void {
    this.#lane.close();
  }

  #tell(body: PeerEvent['body']): Promise<number> {
    return this.#inTurn(() => {
      const value = {
        peerId: peerIdToBytes(this.#lane.identity.peerId),
        incarnation: BigInt(actedIncarnation),
        sequence: BigInt(++this.#eventSequence),
        observedAtMs: BigInt(Date.now()),
        body,
      };
      const post = create(AgentPostSchema, { body: { case: 'event', value } });
      return this.#untilTaken([toBinary(AgentPostSchema, post)]);
    });
  }

  #inTurn(ask: () => Promise<void>): Promise<number> {
    const turn = this.#last.then(async () => {
      const beganMs = performance.now();
      await ask();
      return performance.now() - beganMs;
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** As an agent does: what is put off comes again when the collector said. */
  async #untilTaken(pieces: readonly Uint8Array[]): Promise<void> {
    for (;;) {
      const status = await this.#lane.post(pieces);
      if (status === 200) return;
      if (status !== 429 && status !== 503) throw new Error(`the collector answered ${status}`);
      ActedPeer.putOff++;
      await new Promise((resolve) => setTimeout(resolve, Math.max(100, this.#lane.retryAfterMs)));
    }
  }
}
