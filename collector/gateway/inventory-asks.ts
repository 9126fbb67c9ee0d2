/**
 * Grants what analyzers ask for in their reports: an inventory of each peer of which records left the log unread. Every collector
 * reads the same reports, and each request has a number, so however many of them grant it, the peer is asked once.
 */
import { fromBinary } from '@bufbuild/protobuf';
import type { Following, LogRecord } from '#log/port.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { type EnrolledPeer, type InventoryAsk, PeerEventsRecordSchema } from '#mesh/generated/events_pb.js';
import type { Logger } from '#mesh/logger.ts';
import { type PeerId, peerIdBytes, peerIdFromBytes } from '#mesh/peer-id.ts';
import type { Topic } from '#mesh/topics.ts';
import type { Enrolments } from './enrolments.ts';
import { inventoryRequestOf, withInventoryRequest } from './peer-settings.ts';
import type { GatewayLog } from './service.ts';

export interface InventoryAsksOptions {
  readonly log: Pick<GatewayLog, 'follow'>;
  readonly topic: Topic;
  readonly enrolments: Pick<Enrolments, 'table' | 'changePeer'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly asked: () => void;
}

/** Reports come each second and name a peer until it was asked: what finds no place here comes again. */
const maxWaiting = 1000;
const refollowMs = 5000;

export class InventoryAsks {
  readonly #options: InventoryAsksOptions;
  readonly #stopped = new AbortController();
  readonly #waiting = new Map<PeerId, bigint>();
  #following: Promise<void> = Promise.resolve();
  #granting: Promise<void> | null = null;

  constructor(options: InventoryAsksOptions) {
    this.#options = options;
  }

  /** What was reported before is reported again, where it still holds. */
  start(): void {
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#following;
    await this.#granting;
  }

  async #follow(): Promise<void> {
    const { log, topic, clock, logger } = this.#options;
    const { signal } = this.#stopped;
    let isFailing = false;
    while (!signal.aborted) {
      let following: Following | null = null;
      try {
        following = await log.follow([topic.name], 'next', (_topic, _partition, records) => this.#read(records), {
          truncated: () => Promise.resolve(),
        });
        isFailing = false;
        await Promise.race([following.ended, aborted(signal)]);
      } catch (error) {
        // Said once: without this, inventories come by themselves, only later.
        if (!isFailing)
          logger.warn(
            { error: describeError(error) },
            'analyzers cannot be heard asking for inventories; trying again',
          );
        isFailing = true;
      }
      await following?.close();
      if (!signal.aborted) await sleep(clock, refollowMs, signal).catch(() => undefined);
    }
  }

  #read(records: readonly LogRecord[]): Promise<void> {
    for (const { value } of records) {
      if (value === null) continue;
      for (const ask of asksIn(value)) this.#note(ask);
    }
    if (this.#waiting.size > 0) this.#granting ??= this.#grantAll();
    return Promise.resolve();
  }

  #note({ peerId, request }: InventoryAsk): void {
    if (peerId.length !== peerIdBytes || this.#waiting.size >= maxWaiting) return;
    const peer = peerIdFromBytes(peerId);
    const known = this.#options.enrolments.table.peer(peer)?.peer;
    if (isNext(known, request)) this.#waiting.set(peer, request);
  }

  /** One after the other: a mesh of ten thousand peers is not to be written anew in one moment. */
  async #grantAll(): Promise<void> {
    for (const [peer, request] of this.#waiting) {
      if (this.#stopped.signal.aborted) break;
      this.#waiting.delete(peer);
      await this.#grant(peer, request);
    }
    this.#granting = null;
  }

  async #grant(peer: PeerId, request: bigint): Promise<void> {
    const { enrolments, logger, asked } = this.#options;
    let isOurs = false;
    try {
      await enrolments.changePeer(peer, (current) => {
        isOurs = isNext(current, request);
        return isOurs ? withInventoryRequest(current, request) : null;
      });
    } catch (error) {
      logger.warn({ peerId: peer, error: describeError(error) }, 'a peer could not be asked for an inventory now');
      return;
    }
    if (!isOurs) return;
    asked();
    logger.info({ peerId: peer }, 'a peer is asked for an inventory: events of its shares left the log unread');
  }
}

/** Each request is the one after the last: no report makes a number jump. */
function isNext(peer: EnrolledPeer | undefined, request: bigint): boolean {
  return peer !== undefined && !peer.revoked && inventoryRequestOf(peer) + 1n === request;
}

/** Nothing of what cannot be read: analyzers tell of such records. */
function asksIn(value: Uint8Array): readonly InventoryAsk[] {
  try {
    const { body } = fromBinary(PeerEventsRecordSchema, value);
    return body.case === 'report' ? body.value.inventoryAsks : [];
  } catch {
    return [];
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
