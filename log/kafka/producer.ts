/** Sends what waits in the lanes: for each broker one request at a time, with a batch of every partition that it leads. */
import { describeError, type MeshwardError } from '#mesh/errors.ts';
import type { AppendRecord, Position } from '../port.ts';
import { splitAppend } from './append-parts.ts';
import type { Cluster } from './cluster.ts';
import { BrokerFault, code, isPassing, mayPass, toLogError } from './faults.ts';
import { Lane, type LaneBatch, type LaneIdentity } from './lane.ts';
import { onceATurn } from './once-a-turn.ts';
import type { BrokerConnection } from './protocol.ts';
import { encodeBatch } from './record-batch.ts';
import type { ProduceAnswer } from './requests.ts';

/** A request is not made larger than this, but for one batch. */
const maxRequestBytes = 8 * 1024 * 1024;
const purpose = 'produce';

interface Sent {
  readonly lane: Lane;
  readonly batch: LaneBatch;
}

/** A broker that leads something, and when it may be tried again. */
interface Reach {
  connection: BrokerConnection | null;
  isConnecting: boolean;
  notBeforeMs: number;
  tries: number;
}

export class Producer {
  readonly #cluster: Cluster;
  readonly #compression: 'none' | 'gzip';
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with something to send, in the order of their turns. */
  readonly #busy = new Set<Lane>();
  readonly #sending = new Map<number, readonly Sent[]>();
  readonly #reaches = new Map<number, Reach>();
  readonly #drained = new Set<() => void>();
  readonly #stopListening: () => void;
  #identity: LaneIdentity | null = null;
  #isIdentifying = false;
  /** What the caller appends in the same turn goes out together. */
  readonly #pumpSoon = onceATurn(() => this.#pump());
  #isEnded = false;
  #lastFailure = 'no broker led the partition';
  #callOffPump: () => void = () => undefined;

  constructor(cluster: Cluster, compression: 'none' | 'gzip') {
    this.#cluster = cluster;
    this.#compression = compression;
    this.#stopListening = cluster.onLook(() => {
      this.#leaveFormerLeaders();
      this.#pumpSoon();
    });
  }

  /** @throws MeshwardError `log-unavailable`, `log-forbidden`, `bad-input`, `log-closed`. */
  append(topic: string, records: readonly AppendRecord[]): Promise<readonly Position[]> {
    const { clock, limits } = this.#cluster.settings;
    const giveUpAtMs = clock.monotonicMs() + limits.appendTimeoutMs;
    const { parts, settled } = splitAppend(records, giveUpAtMs);
    for (const [partition, part] of parts) {
      const lane = this.#lane(topic, partition);
      this.#busy.add(lane);
      lane.add(part);
    }
    this.#pumpSoon();
    return settled;
  }

  /** Resolves once nothing waits and nothing is out. */
  async drained(): Promise<void> {
    while (this.#busy.size > 0) {
      await new Promise<void>((resolve) => this.#drained.add(resolve));
    }
  }

  /** Fails what is left. */
  end(error: MeshwardError): void {
    this.#isEnded = true;
    this.#stopListening();
    this.#callOffPump();
    for (const lane of this.#busy) lane.end(error);
    this.#busy.clear();
    this.#tellDrained();
  }

  #lane(topic: string, partition: number): Lane {
    const key = `${topic}/${partition}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(topic, partition, this.#cluster.settings.limits.maxBatchBytes);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #pump(): void {
    if (this.#isEnded) return;
    const nowMs = this.#cluster.settings.clock.monotonicMs();
    const turns = new Map<number, Lane[]>();
    let isLeaderMissing = false;
    for (const lane of this.#busy) {
      lane.expire(nowMs, this.#lastFailure);
      if (lane.isEmpty) {
        this.#busy.delete(lane);
        continue;
      }
      const leader = this.#cluster.leaderOf(lane.topic, lane.partition);
      if (leader === null) isLeaderMissing = true;
      else if (!lane.isOut && !this.#sending.has(leader)) {
        const turn = turns.get(leader);
        if (turn === undefined) turns.set(leader, [lane]);
        else turn.push(lane);
      }
    }
    if (isLeaderMissing) this.#cluster.refreshSoon();
    this.#identify();
    for (const [leader, lanes] of turns) this.#turn(leader, lanes, nowMs);
    if (this.#busy.size === 0) this.#tellDrained();
    else this.#schedulePump(nowMs);
  }

  /** Lanes are not out while a connection is made: what has waited for too long is failed meanwhile. */
  #turn(leader: number, lanes: readonly Lane[], nowMs: number): void {
    const reach = this.#reaches.get(leader);
    if (reach?.connection?.isOpen) this.#send(leader, reach.connection, lanes, nowMs);
    else if (reach === undefined || (reach.notBeforeMs <= nowMs && !reach.isConnecting))
      this.#connect(leader, reach?.tries ?? 0);
  }

  #connect(leader: number, tries: number): void {
    const { clock } = this.#cluster.settings;
    const reach: Reach = { connection: null, isConnecting: true, notBeforeMs: Number.NEGATIVE_INFINITY, tries: 0 };
    this.#reaches.set(leader, reach);
    void this.#cluster
      .connection(leader, purpose)
      .then(
        (connection) => {
          reach.connection = connection;
        },
        (error: unknown) => {
          if (this.#isEnded) return;
          this.#noteFailure(error);
          reach.tries = tries + 1;
          reach.notBeforeMs = clock.monotonicMs() + this.#cluster.retryDelayMs(tries);
          this.#cluster.refreshSoon();
          if (mayPass(error)) return;
          for (const lane of this.#busy) {
            const isLed = this.#cluster.leaderOf(lane.topic, lane.partition) === leader;
            if (isLed && !lane.isOut) lane.end(toLogError(error, `appending to ${lane.topic}/${lane.partition}`));
          }
        },
      )
      .finally(() => {
        reach.isConnecting = false;
        this.#pumpSoon();
      });
  }

  #send(leader: number, connection: BrokerConnection, lanes: readonly Lane[], nowMs: number): void {
    const sent: Sent[] = [];
    let bytes = 0;
    for (const lane of lanes) {
      if (bytes >= maxRequestBytes) break;
      const batch = lane.take(nowMs);
      if (batch === null) continue;
      bytes += batch.sizeBytes;
      sent.push({ lane, batch });
      // To the end of the turns.
      this.#busy.delete(lane);
      this.#busy.add(lane);
    }
    if (sent.length === 0) return;
    this.#sending.set(leader, sent);
    void this.#exchange(connection, sent).finally(() => {
      this.#sending.delete(leader);
      this.#pumpSoon();
    });
  }

  async #exchange(connection: BrokerConnection, sent: readonly Sent[]): Promise<void> {
    const { clock, counts, limits } = this.#cluster.settings;
    const retryAtMs = (tries: number): number => clock.monotonicMs() + this.#cluster.retryDelayMs(tries);
    const resent = sent.filter(({ batch }) => batch.tries > 1).length;
    counts.resentBatches += resent;
    let wasSent = false;
    let answers: readonly ProduceAnswer[];
    try {
      for (const { batch } of sent) batch.encoded ??= await this.#encode(batch);
      if (this.#isEnded) return;
      wasSent = true;
      const startedMs = clock.monotonicMs();
      // The leader gives up on its replicas before we give up on the leader.
      const timeoutMs = Math.ceil((limits.requestTimeoutMs * 2) / 3);
      const batches = sent.map(({ lane, batch }) => {
        return { topic: lane.topic, partition: lane.partition, batch: batch.encoded as Buffer };
      });
      ({ answers } = await connection.request('Produce', { timeoutMs, batches }));
      const tookMs = clock.monotonicMs() - startedMs;
      counts.commits++;
      counts.commitMsTotal += tookMs;
      counts.commitMsMax = Math.max(counts.commitMsMax, tookMs);
    } catch (error) {
      if (this.#isEnded) return;
      this.#noteFailure(error);
      for (const { lane } of sent) {
        if (mayPass(error)) lane.unanswered(wasSent, retryAtMs);
        else lane.end(toLogError(error, `appending to ${lane.topic}/${lane.partition}`));
      }
      this.#cluster.refreshSoon();
      return;
    }
    if (this.#isEnded) return;
    for (const { lane } of sent) {
      const answer = answers.find(({ topic, partition }) => topic === lane.topic && partition === lane.partition);
      const errorCode = answer?.errorCode ?? code.unknownServerError;
      const verdict = lane.answered(errorCode, answer?.baseOffset ?? -1, retryAtMs);
      if (errorCode !== code.none) this.#noteFailure(new BrokerFault(errorCode, `${lane.topic}/${lane.partition}`));
      if (verdict === 'renamed') counts.producerResets++;
      if (isPassing(errorCode)) this.#cluster.refreshSoon();
    }
  }

  #encode(batch: LaneBatch): Promise<Buffer> {
    const { producerId, producerEpoch } = batch.identity;
    const place = { producerId, producerEpoch, firstSequence: batch.firstSequence };
    return encodeBatch(batch.records, place, this.#cluster.settings.clock.nowMs(), this.#compression);
  }

  /** Lanes share a producer id: sequences are counted by partition. One that refused it gets a new one. */
  #identify(): void {
    if (this.#isIdentifying) return;
    const wanting = [...this.#busy].filter((lane) => lane.wantsIdentity !== null);
    if (wanting.length === 0) return;
    const identity = this.#identity;
    const served = wanting.filter((lane) => identity !== null && lane.wantsIdentity?.refused !== identity);
    for (const lane of served) lane.identify(identity as LaneIdentity);
    if (served.length === wanting.length) {
      this.#pumpSoon();
      return;
    }
    this.#isIdentifying = true;
    const what = `getting a producer id to append to ${[...new Set(wanting.map(({ topic }) => topic))].join(', ')}`;
    const asked = this.#cluster.attempt(what, async () => {
      const answer = await this.#cluster.anyBroker((connection) =>
        connection.request('InitProducerId', { transactionalId: null }),
      );
      if (answer.errorCode !== code.none) throw new BrokerFault(answer.errorCode, 'a broker answered');
      return { producerId: BigInt(answer.producerId), producerEpoch: answer.producerEpoch };
    });
    void asked
      .then(
        (fresh) => {
          this.#identity = fresh;
        },
        (error: unknown) => {
          this.#noteFailure(error);
          const failure = toLogError(error, what);
          for (const lane of this.#busy) if (lane.wantsIdentity !== null && !failure.retryable) lane.end(failure);
        },
      )
      .finally(() => {
        this.#isIdentifying = false;
        this.#pumpSoon();
      });
  }

  /** A request that waits for a broker which no longer leads any of its partitions is not waited for. */
  #leaveFormerLeaders(): void {
    for (const [leader, sent] of this.#sending) {
      const leads = sent.some(({ lane }) => this.#cluster.leaderOf(lane.topic, lane.partition) === leader);
      if (!leads) this.#cluster.drop(leader, purpose, 'it no longer leads the partitions');
    }
  }

  #schedulePump(nowMs: number): void {
    let wakeAtMs = Number.POSITIVE_INFINITY;
    for (const lane of this.#busy) {
      if (lane.isOut) continue;
      if (lane.notBeforeMs > nowMs) wakeAtMs = Math.min(wakeAtMs, lane.notBeforeMs);
      wakeAtMs = Math.min(wakeAtMs, lane.giveUpAtMs);
    }
    for (const { notBeforeMs } of this.#reaches.values())
      if (notBeforeMs > nowMs) wakeAtMs = Math.min(wakeAtMs, notBeforeMs);
    this.#callOffPump();
    if (wakeAtMs === Number.POSITIVE_INFINITY) return;
    this.#callOffPump = this.#cluster.settings.clock.after(Math.max(1, wakeAtMs - nowMs), () => this.#pump());
  }

  #noteFailure(error: unknown): void {
    this.#lastFailure = describeError(error);
    this.#cluster.settings.logger.debug({ error: this.#lastFailure }, 'an append is tried again or fails');
  }

  #tellDrained(): void {
    for (const resolve of this.#drained) {
      this.#drained.delete(resolve);
      resolve();
    }
  }
}
