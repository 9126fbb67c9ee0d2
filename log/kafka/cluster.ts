/** Who leads what, and the connections to them. Every part of the log asks here; nothing is remembered elsewhere. */
import { spreadBackoffMs } from '#mesh/backoff.ts';
import { type Clock, type Random, shuffled, sleep } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { closedError } from '../shared/errors.ts';
import { BrokerFault, ConnectionFault, code, mayPass, toLogError } from './faults.ts';
import { type KafkaLogLimits, type KafkaSasl, type KafkaTls, parseBroker } from './options.ts';
import { BrokerConnection } from './protocol.ts';
import type { Responses } from './requests.ts';
import type { KafkaCounts } from './stats.ts';

export interface ClusterSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls: KafkaTls | undefined;
  readonly sasl: KafkaSasl | undefined;
  readonly topics: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits: KafkaLogLimits;
  readonly counts: KafkaCounts;
}

interface Place {
  readonly host: string;
  readonly port: number;
}

interface Slot {
  readonly connection: BrokerConnection;
  readonly opening: Promise<BrokerConnection>;
  isReady: boolean;
  isDropped: boolean;
}

/** A broker that does not answer a small question in this time is not waited for: another one is asked. */
const controlTimeoutMs = 5000;
/** What is short and may be asked of any broker goes over these connections. */
const control = 'control';

export class Cluster {
  readonly settings: ClusterSettings;
  readonly #nodes = new Map<number, Place>();
  readonly #leaders = new Map<string, readonly (number | null)[]>();
  readonly #slots = new Map<string, Slot>();
  readonly #coordinators = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #controllerId = -1;
  #refreshing: Promise<void> | null = null;
  #isLookingSoon = false;
  #callOffRefresh: () => void = () => undefined;

  constructor(settings: ClusterSettings) {
    this.settings = settings;
  }

  /** Learns the brokers and topics. @throws MeshwardError `log-unavailable`, `log-forbidden`. */
  async open(): Promise<void> {
    await this.attempt('reaching the brokers', () => this.refresh());
    this.#scheduleRefresh();
  }

  get brokerCount(): number {
    return this.#nodes.size;
  }

  get openConnections(): number {
    return [...this.#slots.values()].filter((slot) => slot.isReady).length;
  }

  /** Aborted when the log is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Of the topic as the brokers have it; 0 where it is not there, or may not be seen. */
  partitionCount(topic: string): number {
    return this.#leaders.get(topic)?.length ?? 0;
  }

  /** Null where there is none now. */
  leaderOf(topic: string, partition: number): number | null {
    return this.#leaders.get(topic)?.[partition] ?? null;
  }

  /** Called after each look at who leads what. */
  onLook(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** An open connection for one purpose, made where there is none. @throws ConnectionFault, MeshwardError `log-forbidden`. */
  connection(nodeId: number, purpose: string): Promise<BrokerConnection> {
    const place = this.#nodes.get(nodeId);
    if (place === undefined) return Promise.reject(new ConnectionFault(`broker ${nodeId}`, 'is not known any more'));
    return this.#connect(`${nodeId}/${purpose}`, place, purpose);
  }

  /** Ends a connection; requests under way on it fail, and the next one makes it anew. */
  drop(nodeId: number, purpose: string, why: string): void {
    this.#drop(`${nodeId}/${purpose}`, why);
  }

  /** Asks brokers, one after the other, until one answers. */
  async anyBroker<T>(ask: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    let failure: unknown = new ConnectionFault(this.settings.brokers.join(', '), 'no broker is known');
    for (const [key, place] of this.#candidates()) {
      if (this.closing.aborted) throw closedError();
      try {
        return await ask(await this.#connect(key, place, control));
      } catch (error) {
        failure = error;
        if (error instanceof BrokerFault) throw error;
      }
    }
    throw failure;
  }

  /** The broker that makes topics. */
  controller(): Promise<BrokerConnection> {
    return this.connection(this.#controllerId, control);
  }

  /** For requests that any leader answers shortly. */
  control(nodeId: number): Promise<BrokerConnection> {
    return this.connection(nodeId, control);
  }

  async coordinatorOf(group: string): Promise<number> {
    const known = this.#coordinators.get(group);
    if (known !== undefined) return known;
    const answer = await this.anyBroker((connection) =>
      connection.request('GroupCoordinator', { groupId: group }, this.#controlTimeoutMs),
    );
    if (answer.errorCode !== code.none) throw new BrokerFault(answer.errorCode, `finding the coordinator of ${group}`);
    const { nodeId, host, port } = answer.coordinator;
    if (!this.#nodes.has(nodeId)) this.#nodes.set(nodeId, { host, port });
    this.#coordinators.set(group, nodeId);
    return nodeId;
  }

  forgetCoordinator(group: string): void {
    this.#coordinators.delete(group);
  }

  /** Looks at who leads what; joins a look under way. @throws what the last broker asked failed with. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#look().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** Looks soon, once for all who ask; listeners hear of it whether it succeeds or not. */
  refreshSoon(): void {
    if (this.#isLookingSoon) return;
    this.#isLookingSoon = true;
    void this.pause(0)
      .then(() => this.refresh())
      .catch((error: unknown) =>
        this.settings.logger.debug({ error: describeError(error) }, 'no broker told who leads'),
      )
      .then(() => {
        this.#isLookingSoon = false;
        this.#tellListeners();
      });
  }

  /** Tries again while what fails may pass by itself, for `callTimeoutMs`. @throws MeshwardError. */
  async attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { clock, limits } = this.settings;
    const giveUpAtMs = clock.monotonicMs() + limits.callTimeoutMs;
    for (let tries = 0; ; tries++) {
      if (this.closing.aborted) throw closedError();
      try {
        return await work();
      } catch (error) {
        if (this.closing.aborted) throw closedError();
        if (!mayPass(error) || clock.monotonicMs() > giveUpAtMs) throw toLogError(error, what);
        await this.pause(tries);
        await this.refresh().catch(() => undefined);
      }
    }
  }

  /** Between two tries: longer each time, spread, and over at once when the log is closed. */
  async pause(tries: number): Promise<void> {
    await sleep(this.settings.clock, this.retryDelayMs(tries), this.closing).catch(() => undefined);
  }

  retryDelayMs(tries: number): number {
    const { retryMinMs: firstMs, retryMaxMs: longestMs } = this.settings.limits;
    return spreadBackoffMs({ firstMs, longestMs }, tries, this.settings.random);
  }

  close(): void {
    this.#callOffRefresh();
    this.#closing.abort(closedError());
    for (const key of this.#slots.keys()) this.#drop(key, 'the log is closed');
  }

  get #controlTimeoutMs(): number {
    return Math.min(controlTimeoutMs, this.settings.limits.requestTimeoutMs);
  }

  #scheduleRefresh(): void {
    const { clock, limits } = this.settings;
    this.#callOffRefresh = clock.after(limits.metadataMaxAgeMs, () => {
      if (this.closing.aborted) return;
      this.refreshSoon();
      this.#scheduleRefresh();
    });
  }

  /** Connected brokers first, then the others that are known, then those of the configuration. */
  #candidates(): [string, Place][] {
    const known = shuffled([...this.#nodes], this.settings.random).map(([nodeId, place]): [string, Place] => [
      `${nodeId}/${control}`,
      place,
    ]);
    const isOpen = ([key]: [string, Place]): number => (this.#slots.get(key)?.isReady ? 0 : 1);
    const configured = this.settings.brokers.map((address): [string, Place] => [
      `${address}/first`,
      parseBroker(address),
    ]);
    return [...known.sort((a, b) => isOpen(a) - isOpen(b)), ...shuffled(configured, this.settings.random)];
  }

  async #look(): Promise<void> {
    const { topics, counts } = this.settings;
    const asked = { topics, allowAutoTopicCreation: false };
    const found = await this.anyBroker((connection) => connection.request('Metadata', asked, this.#controlTimeoutMs));
    counts.metadataRefreshes++;
    this.#learn(found);
    this.#tellListeners();
  }

  #learn(found: Responses['Metadata']): void {
    for (const { nodeId, host, port } of found.brokers) {
      const known = this.#nodes.get(nodeId);
      if (known !== undefined && (known.host !== host || known.port !== port)) this.#dropNode(nodeId);
      this.#nodes.set(nodeId, { host, port });
    }
    for (const nodeId of this.#nodes.keys()) {
      if (!found.brokers.some((broker) => broker.nodeId === nodeId)) {
        this.#nodes.delete(nodeId);
        this.#dropNode(nodeId);
      }
    }
    this.#controllerId = found.controllerId;
    for (const { topic, topicErrorCode, partitionMetadata } of found.topicMetadata) {
      if (topicErrorCode === code.leaderNotAvailable) continue;
      const leaders: (number | null)[] = partitionMetadata.map(() => null);
      for (const { partitionId, leader } of partitionMetadata) leaders[partitionId] = leader < 0 ? null : leader;
      this.#leaders.set(topic, leaders);
    }
    // What the first question went over is not needed once the brokers are known by their numbers.
    for (const key of this.#slots.keys()) if (key.endsWith('/first')) this.#drop(key, 'no longer needed');
  }

  #tellListeners(): void {
    for (const listener of this.#listeners) listener();
  }

  #dropNode(nodeId: number): void {
    for (const key of this.#slots.keys()) if (key.startsWith(`${nodeId}/`)) this.#drop(key, 'the broker moved');
  }

  #drop(key: string, why: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    slot.isDropped = true;
    this.#slots.delete(key);
    slot.connection.destroy(why);
  }

  #connect(key: string, place: Place, purpose: string): Promise<BrokerConnection> {
    if (this.closing.aborted) return Promise.reject(closedError());
    const known = this.#slots.get(key);
    if (known !== undefined && (!known.isReady || known.connection.isOpen)) return known.opening;
    if (known !== undefined) this.#drop(key, 'it was lost');
    const { clientId, tls, sasl, clock, limits, counts, logger } = this.settings;
    const isControl = purpose === control;
    const bound = (limitMs: number): number => (isControl ? Math.min(limitMs, controlTimeoutMs) : limitMs);
    const settings = {
      clientId,
      tls,
      sasl,
      clock,
      connectTimeoutMs: bound(limits.connectTimeoutMs),
      requestTimeoutMs: bound(limits.requestTimeoutMs),
    };
    const lost = (): void => {
      if (this.#slots.get(key) === slot) this.#slots.delete(key);
      if (slot.isDropped || !slot.isReady) return;
      counts.lostConnections++;
      logger.debug({ broker: connection.broker, purpose }, 'connection to a broker lost');
    };
    const connection = new BrokerConnection(place.host, place.port, settings, lost);
    const opening = connection.open().then(
      () => {
        slot.isReady = true;
        return connection;
      },
      (error: unknown) => {
        connection.destroy('it could not be opened');
        throw error;
      },
    );
    opening.catch(() => undefined);
    const slot: Slot = { connection, opening, isReady: false, isDropped: false };
    this.#slots.set(key, slot);
    return opening;
  }
}

/** Where a topic must be known to go on. @throws MeshwardError `log-unavailable`. */
export function leaderOrFault(cluster: Cluster, topic: string, partition: number): number {
  const leader = cluster.leaderOf(topic, partition);
  if (leader === null) throw new BrokerFault(code.leaderNotAvailable, `${topic}/${partition}`);
  return leader;
}
