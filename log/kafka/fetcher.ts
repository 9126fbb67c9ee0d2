/**
 * Fetches for every feed of the log. A broker is asked over two connections: on one the question waits at the broker until
 * there is something (long polling) or the time is over; what becomes hungry meanwhile does not wait for that answer but
 * is asked for on the other, shortly. So an idle partition never holds up a busy one, and idle ones cost one question.
 */
import { describeError } from '#mesh/errors.ts';
import type { PartitionFeed } from '../shared/partition-reader.ts';
import type { Cluster } from './cluster.ts';
import { BrokerFault, code, isPassing, mayPass, toLogError } from './faults.ts';
import { onceATurn } from './once-a-turn.ts';
import { type FeedTools, KafkaFeed } from './partition-feed.ts';
import { passOver } from './unreadable.ts';

type Poll = 'wait' | 'fill';

/** One question that is out. */
interface Asked {
  readonly leader: number;
  readonly purpose: string;
  readonly feeds: readonly KafkaFeed[];
}

const fillWaitMs = 20;

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #bounds: FeedTools['bounds'];
  readonly #feeds = new Set<KafkaFeed>();
  readonly #asked = new Map<string, Asked>();
  readonly #stopListening: () => void;
  /** Feeds that change in the same turn are asked for together. */
  readonly #pumpSoon = onceATurn(() => this.#pump());
  #callOffPump: () => void = () => undefined;

  constructor(cluster: Cluster, bounds: FeedTools['bounds']) {
    this.#cluster = cluster;
    this.#bounds = bounds;
    this.#stopListening = cluster.onLook(() => {
      this.#leaveFormerLeaders();
      this.#pumpSoon();
    });
  }

  open(topic: string, partition: number, fromOffset: number): PartitionFeed {
    const { counts, limits } = this.#cluster.settings;
    const taken = new Set<number>();
    for (const feed of this.#feeds) if (feed.topic === topic && feed.partition === partition) taken.add(feed.channel);
    let channel = 0;
    while (taken.has(channel)) channel++;
    const feed = new KafkaFeed(topic, partition, fromOffset, channel, {
      fetchBytes: limits.fetchBytes,
      bounds: this.#bounds,
      changed: () => this.#pumpSoon(),
      handedOver: (records, bytes) => {
        counts.readRecords += records;
        counts.readBytes += bytes;
      },
      passedOver: (batch) => passOver(this.#cluster.settings, batch),
    });
    this.#feeds.add(feed);
    this.#pumpSoon();
    return feed;
  }

  close(): void {
    this.#stopListening();
    this.#callOffPump();
    for (const feed of this.#feeds) feed.close();
  }

  #pump(): void {
    if (this.#cluster.closing.aborted) return;
    const nowMs = this.#cluster.settings.clock.monotonicMs();
    const hungry = new Map<string, { leader: number; channel: number; feeds: KafkaFeed[] }>();
    let wakeAtMs = Number.POSITIVE_INFINITY;
    let isLeaderMissing = false;
    for (const feed of this.#feeds) {
      if (feed.isClosed) this.#feeds.delete(feed);
      if (!feed.isHungry) continue;
      const leader = this.#cluster.leaderOf(feed.topic, feed.partition);
      if (leader === null) isLeaderMissing = true;
      else if (feed.notBeforeMs > nowMs) wakeAtMs = Math.min(wakeAtMs, feed.notBeforeMs);
      else {
        const key = `${leader}/${feed.channel}`;
        const together = hungry.get(key);
        if (together === undefined) hungry.set(key, { leader, channel: feed.channel, feeds: [feed] });
        else together.feeds.push(feed);
      }
    }
    if (isLeaderMissing) this.#cluster.refreshSoon();
    for (const { leader, channel, feeds } of hungry.values()) {
      for (const poll of ['wait', 'fill'] as const) {
        const key = `${leader}/fetch-${poll}-${channel}`;
        if (this.#asked.has(key)) continue;
        this.#poll(key, poll, { leader, purpose: `fetch-${poll}-${channel}`, feeds });
        break;
      }
    }
    this.#callOffPump();
    if (wakeAtMs < Number.POSITIVE_INFINITY)
      this.#callOffPump = this.#cluster.settings.clock.after(wakeAtMs - nowMs, () => this.#pump());
  }

  #poll(key: string, poll: Poll, asked: Asked): void {
    const { leader, feeds } = asked;
    this.#asked.set(key, asked);
    for (const feed of feeds) {
      feed.askedNode = leader;
      // To the end of the turns: brokers fill an answer in the order of the question.
      this.#feeds.delete(feed);
      this.#feeds.add(feed);
    }
    void this.#ask(poll, asked).finally(() => {
      this.#asked.delete(key);
      for (const feed of feeds) feed.askedNode = null;
      this.#pumpSoon();
    });
  }

  async #ask(poll: Poll, { leader, purpose, feeds }: Asked): Promise<void> {
    const { limits } = this.#cluster.settings;
    const maxWaitMs = poll === 'wait' ? limits.fetchWaitMs : Math.min(fillWaitMs, limits.fetchWaitMs);
    const partitions = feeds.map((feed) => {
      return { topic: feed.topic, partition: feed.partition, fromOffset: feed.fetchOffset, maxBytes: feed.maxBytes };
    });
    try {
      const connection = await this.#cluster.connection(leader, purpose);
      const request = { maxWaitMs, maxBytes: limits.maxFetchBytes, partitions };
      const { errorCode, answers } = await connection.request('Fetch', request, maxWaitMs + limits.requestTimeoutMs);
      if (errorCode !== code.none) throw new BrokerFault(errorCode, `fetching from broker ${leader}`);
      const byPlace = new Map(feeds.map((feed) => [`${feed.topic}/${feed.partition}`, feed]));
      for (const answer of answers) {
        const feed = byPlace.get(`${answer.topic}/${answer.partition}`);
        if (feed !== undefined && !feed.isClosed) this.#answered(feed, answer);
      }
    } catch (error) {
      if (this.#cluster.closing.aborted) return;
      this.#cluster.settings.logger.debug({ broker: leader, error: describeError(error) }, 'a fetch failed');
      for (const feed of feeds) {
        if (mayPass(error)) this.#later(feed);
        else feed.fail(toLogError(error, `reading ${feed.topic}/${feed.partition}`));
      }
      this.#cluster.refreshSoon();
    }
  }

  #answered(feed: KafkaFeed, answer: Parameters<KafkaFeed['take']>[0]): void {
    if (answer.errorCode === code.none) {
      feed.tries = 0;
      feed.take(answer);
    } else if (answer.errorCode === code.offsetOutOfRange) feed.outOfRange();
    else if (isPassing(answer.errorCode)) {
      this.#later(feed);
      this.#cluster.refreshSoon();
    } else {
      const where = `${feed.topic}/${feed.partition}`;
      feed.fail(toLogError(new BrokerFault(answer.errorCode, where), 'reading'));
    }
  }

  #later(feed: KafkaFeed): void {
    feed.notBeforeMs = this.#cluster.settings.clock.monotonicMs() + this.#cluster.retryDelayMs(feed.tries++);
  }

  /** A question to a broker that no longer leads what it was asked for is not waited for. */
  #leaveFormerLeaders(): void {
    for (const { leader, purpose, feeds } of this.#asked.values()) {
      const leads = feeds.some((feed) => this.#cluster.leaderOf(feed.topic, feed.partition) === leader);
      if (!leads) this.#cluster.drop(leader, purpose, 'it no longer leads the partitions');
    }
  }
}
