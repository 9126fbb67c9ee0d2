/** Consumer groups as the shared member sees them (shared/member.ts), kept by the brokers. */

import { sleep } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { GroupStore, HeldUnder, MemberSpec, OwnedPartition } from '../shared/member.ts';
import type { Cluster } from './cluster.ts';
import { GroupSession } from './group-session.ts';

export class KafkaGroups implements GroupStore {
  readonly #cluster: Cluster;
  readonly #changed: () => void;
  readonly #sessions = new Map<string, GroupSession>();
  readonly bounds: GroupStore['bounds'];

  /** @param changed what some member owns may have changed. */
  constructor(cluster: Cluster, bounds: GroupStore['bounds'], changed: () => void) {
    this.#cluster = cluster;
    this.bounds = bounds;
    this.#changed = changed;
  }

  async join(member: MemberSpec): Promise<void> {
    const { clock, limits } = this.#cluster.settings;
    const session = new GroupSession(this.#cluster, member, this.#changed);
    this.#sessions.set(member.id, session);
    const waited = new AbortController();
    const patience = sleep(clock, limits.callTimeoutMs, waited.signal).then(() => {
      throw new MeshwardError('log-unavailable', `group ${member.group} has not taken this member in`, {
        next: 'Look whether the brokers run, and whether another member of the group hangs.',
        retryable: true,
      });
    });
    patience.catch(() => undefined);
    try {
      await Promise.race([session.joined, patience]);
    } catch (error) {
      this.#sessions.delete(member.id);
      void session.leave();
      // A session that failed says why better than that it is over.
      await session.confirm();
      throw error;
    } finally {
      waited.abort(new Error('joined'));
    }
  }

  async heartbeat(memberId: string): Promise<OwnedPartition[] | null> {
    const session = this.#sessions.get(memberId);
    if (session === undefined) return null;
    const owned = await session.confirm();
    if (owned === null) this.#sessions.delete(memberId);
    return owned;
  }

  owned(memberId: string): Promise<OwnedPartition[] | null> {
    return this.heartbeat(memberId);
  }

  release(memberId: string, _group: string, partitions: readonly HeldUnder[]): Promise<void> {
    this.#sessions.get(memberId)?.release(partitions);
    return Promise.resolve();
  }

  async leave(memberId: string): Promise<void> {
    const session = this.#sessions.get(memberId);
    this.#sessions.delete(memberId);
    await session?.leave();
  }

  async commit(memberId: string, _group: string, partition: HeldUnder, nextOffset: number): Promise<boolean> {
    return (await this.#sessions.get(memberId)?.commit(partition, nextOffset)) ?? false;
  }
}
