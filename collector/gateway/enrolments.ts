/** The live enrolment table: follows the log from its first record, and makes changes by appending and reading them back. */
import { toBinary } from '@bufbuild/protobuf';
import type { AppendRecord, EventLog, Following } from '#log/port.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { type EnrolledPeer, EnrolledPeerSchema } from '#mesh/generated/events_pb.js';
import type { Logger } from '#mesh/logger.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Topic } from '#mesh/topics.ts';
import { Refusal } from './answers.ts';
import { peerRecord } from './enrolment-records.ts';
import { EnrolmentTable } from './enrolment-table.ts';

export interface EnrolmentsOptions {
  readonly log: Pick<EventLog, 'append' | 'follow' | 'bounds'>;
  readonly topic: Topic;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly unreadable: () => void;
}

/** How long a change may take to come back from the log before the caller is told to ask again. */
const readBackMs = 10_000;
const refollowMs = 1000;
const maxWaiters = 1000;
const maxCrossings = 8;

interface PeerState {
  readonly peer: EnrolledPeer;
  readonly offset: number;
}

interface Waiter {
  readonly offset: number;
  readonly done: () => void;
}

export class Enrolments {
  readonly #options: EnrolmentsOptions;
  readonly #waiters = new Set<Waiter>();
  readonly #stopped = new AbortController();
  /** Changes of one peer go one after the other; each entry is the last one begun. */
  readonly #changing = new Map<PeerId, Promise<unknown>>();
  #table = new EnrolmentTable();
  #following: Following | null = null;
  #current = false;
  #supervision: Promise<void> = Promise.resolve();
  #catchUp: Promise<void> = Promise.resolve();
  #nextCatchUp: Promise<void> | null = null;

  constructor(options: EnrolmentsOptions) {
    this.#options = options;
  }

  get table(): EnrolmentTable {
    return this.#table;
  }

  /** Whether the table follows the log at this moment. */
  get isCurrent(): boolean {
    return this.#current;
  }

  /** Resolves when everything that was in the log is in the table. */
  async start(): Promise<void> {
    const following = await this.#follow();
    this.#supervision = this.#supervise(following);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new MeshwardError('cancelled', 'the collector is closing', { next: 'Ask another collector.' }));
    await this.#following?.close();
    await this.#supervision;
  }

  /**
   * Resolves when everything that is in the log now is in the table: whoever another gateway, or `meshward up`, enrolled a
   * moment ago is not turned away. At most one look at the log is under way and one waits, however many ask.
   */
  catchUp(): Promise<void> {
    this.#nextCatchUp ??= this.#catchUp.then(() => {
      this.#nextCatchUp = null;
      this.#catchUp = this.#endOffset()
        .then((offset) => this.#applied(offset - 1))
        .catch(() => undefined); // the table as it stands decides then
      return this.#catchUp;
    });
    return this.#nextCatchUp;
  }

  async #endOffset(): Promise<number> {
    const { log, topic } = this.#options;
    return (await log.bounds(topic.name))[0]?.nextOffset ?? 0;
  }

  /** Appends, and resolves when the records are in the table; with the offset of each. */
  async append(records: readonly AppendRecord[]): Promise<readonly number[]> {
    const { log, topic } = this.#options;
    const offsets = (await log.append(topic.name, records)).map((position) => position.offset);
    await this.#applied(Math.max(...offsets));
    return offsets;
  }

  /**
   * Changes a peer's entry. The log takes whole entries, so two gateways that change one peer at once may cross: whoever
   * finds that it did makes its change again upon the other's. A revocation holds meanwhile (see EnrolmentTable).
   * @param change idempotent; called again where changes crossed; returns null to leave the entry as it is;
   * given undefined where the peer is not enrolled.
   */
  async changePeer(
    id: PeerId,
    change: (current: EnrolledPeer | undefined) => EnrolledPeer | null,
  ): Promise<EnrolledPeer | undefined> {
    const turn = (this.#changing.get(id) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.#changePeer(id, change));
    this.#changing.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#changing.get(id) === turn) this.#changing.delete(id);
    }
  }

  async #changePeer(
    id: PeerId,
    change: (current: EnrolledPeer | undefined) => EnrolledPeer | null,
  ): Promise<EnrolledPeer | undefined> {
    let base: PeerState | undefined = this.#table.peer(id);
    for (let crossing = 0; crossing < maxCrossings; crossing++) {
      const latest = this.#table.peer(id);
      const next = change(base?.peer);
      if (next === null) return latest?.peer;
      if (latest !== undefined && base?.offset === latest.offset && sameEntry(next, latest.peer)) return latest.peer;
      const latestOffset = latest?.offset ?? -1;
      const [offset] = await this.append([peerRecord(next, latestOffset)]);
      const entry = this.#table.peer(id);
      if (entry === undefined || entry.offset !== offset) {
        base = entry; // another gateway wrote after us: see whether our change is in what stands there now
        continue;
      }
      if ((entry.before?.offset ?? -1) === latestOffset) return entry.peer;
      base = entry.before ?? undefined; // another one wrote just before us, unseen: our change once more, upon theirs
    }
    throw new Refusal(503, 'service-busy', 'this peer is being changed by others at the same time', {
      next: 'Look at the peer and try again.',
      retryAfterMs: 1000,
    });
  }

  async #follow(): Promise<Following> {
    const { log, topic } = this.#options;
    const table = new EnrolmentTable();
    let caughtUp = false;
    const endOffset = await this.#endOffset();
    const following = await log.follow(
      [topic.name],
      'first',
      (_topic, _partition, records) => {
        const before = table.unreadable;
        for (const record of records) table.apply(record);
        for (let i = before; i < table.unreadable; i++) this.#options.unreadable();
        if (caughtUp) this.#wake();
        return Promise.resolve();
      },
      { unreadable: async () => this.#options.unreadable() },
    );
    // Until it has caught up the last table stands, if there was one: half a table would turn enrolled peers away.
    await Promise.race([following.caughtUp, following.ended.then(() => Promise.reject(followEnded()))]);
    caughtUp = true;
    table.caughtUpTo(endOffset);
    this.#table = table;
    this.#following = following;
    this.#current = true;
    this.#wake();
    return following;
  }

  async #supervise(first: Following): Promise<void> {
    const { clock, logger } = this.#options;
    let following: Following | null = first;
    while (!this.#stopped.signal.aborted) {
      try {
        following ??= await this.#follow();
        await following.ended;
        if (!this.#stopped.signal.aborted) throw followEnded();
      } catch (error) {
        this.#current = false;
        following = null;
        if (this.#stopped.signal.aborted) return;
        logger.error({ error: describeError(error) }, 'the enrolments can no longer be followed; trying again');
        await sleep(clock, refollowMs, this.#stopped.signal).catch(() => undefined);
      }
    }
  }

  #applied(offset: number): Promise<void> {
    if (this.#table.nextOffset > offset) return Promise.resolve();
    if (this.#waiters.size >= maxWaiters) return Promise.reject(notReadBack());
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        offset,
        done: () => {
          callOff();
          this.#waiters.delete(waiter);
          resolve();
        },
      };
      const callOff = this.#options.clock.after(readBackMs, () => {
        this.#waiters.delete(waiter);
        reject(notReadBack());
      });
      this.#waiters.add(waiter);
    });
  }

  #wake(): void {
    for (const waiter of this.#waiters) if (this.#table.nextOffset > waiter.offset) waiter.done();
  }
}

function sameEntry(a: EnrolledPeer, b: EnrolledPeer): boolean {
  return Buffer.compare(toBinary(EnrolledPeerSchema, a), toBinary(EnrolledPeerSchema, b)) === 0;
}

function followEnded(): MeshwardError {
  return new MeshwardError('log-unavailable', 'the log ended the reading of enrolments', {
    next: 'See whether the log is well.',
    retryable: true,
  });
}

function notReadBack(): Refusal {
  return new Refusal(503, 'service-unavailable', 'the change was written but has not come back from the log yet', {
    next: 'Ask again: the same request is safe to repeat.',
    retryAfterMs: 2000,
  });
}
