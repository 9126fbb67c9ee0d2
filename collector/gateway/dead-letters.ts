/** What could not be taken is kept with the reason; how much of it one sender may have kept is limited, and the rest is counted. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { DeadLetterSchema } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { TokenBucket, TokenBuckets } from '#mesh/token-bucket.ts';
import type { Topic } from '#mesh/topics.ts';
import type { GatewayMetrics } from './metrics.ts';

export interface Refused {
  readonly reasonCode: string;
  readonly reason: string;
  /** Who sent it, as TLS proved. */
  readonly sender: PeerId | null;
  readonly payload: Uint8Array;
  /** The payload's full size, where it was not read to its end. */
  readonly payloadBytes: number;
  readonly contentType: string;
}

export interface DeadLettersOptions {
  readonly log: Pick<EventLog, 'append'>;
  readonly topic: Topic;
  readonly maxPayloadBytes: number;
  readonly clock: Clock;
  readonly metrics: GatewayMetrics;
}

export const lettersPerSender = { perSecond: 1, burst: 20 };
const perStranger = { perSecond: 0.1, burst: 3 };
const allStrangers = { perSecond: 10, burst: 50 };
const maxSenders = 10_000;
/** Strangers' letters that wait for the log at once. */
const maxStrangersUnderWay = 50;

export class DeadLetters {
  readonly #options: DeadLettersOptions;
  readonly #senders: TokenBuckets;
  readonly #strangers: TokenBuckets;
  readonly #allStrangers: TokenBucket;
  #strangersUnderWay = 0;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
    this.#senders = new TokenBuckets(lettersPerSender, options.clock, maxSenders);
    this.#strangers = new TokenBuckets(perStranger, options.clock, maxSenders);
    this.#allStrangers = new TokenBucket(allStrangers, options.clock);
  }

  /**
   * Of a peer that may speak: durable when resolved, or counted where it has had its share of letters.
   * @throws MeshwardError of the log: the caller then answers that, and the sender keeps what it has.
   */
  async keep(refused: Refused): Promise<void> {
    if (this.#senders.of(refused.sender ?? '').tryTake(1) > 0) {
      this.#options.metrics.deadLetter('limited', refused.reasonCode);
      return;
    }
    await this.#append(refused);
  }

  /** Of one that may not speak, or not so: tried once, and counted where it fails; it must not cost us more than that. */
  async keepOfStranger(refused: Refused): Promise<void> {
    const hasNoPlace = this.#strangersUnderWay >= maxStrangersUnderWay;
    const hadItsShare = hasNoPlace || this.#strangers.of(refused.sender ?? '').tryTake(1) > 0;
    if (hadItsShare || this.#allStrangers.tryTake(1) > 0) {
      this.#options.metrics.deadLetter('limited', refused.reasonCode);
      return;
    }
    this.#strangersUnderWay++;
    await this.#append(refused).catch(() => undefined);
    this.#strangersUnderWay--;
  }

  async #append(refused: Refused): Promise<void> {
    const { log, topic, maxPayloadBytes, clock, metrics } = this.#options;
    const peerId = refused.sender === null ? new Uint8Array() : peerIdToBytes(refused.sender);
    const letter = create(DeadLetterSchema, {
      reasonCode: refused.reasonCode,
      reason: refused.reason,
      source: 'gateway',
      peerId,
      atMs: BigInt(clock.nowMs()),
      payload: refused.payload.subarray(0, maxPayloadBytes),
      payloadBytes: BigInt(refused.payloadBytes),
      contentType: refused.contentType.slice(0, 100),
    });
    try {
      await log.append(topic.name, [{ partition: 0, key: peerId, value: toBinary(DeadLetterSchema, letter) }]);
      metrics.deadLetter('kept', refused.reasonCode);
    } catch (error) {
      metrics.deadLetter('failed', refused.reasonCode);
      throw error;
    }
  }
}
