/** One member's requests to the coordinator of its group, over connections of its own. */
import type { HeldUnder } from '../shared/member.ts';
import type { Cluster } from './cluster.ts';
import { BrokerFault, ConnectionFault, code } from './faults.ts';
import { decodeCommitNote } from './group-wire.ts';
import type { Requests, Responses } from './requests.ts';

/** What is asked of a member between rounds must not wait behind a round: that can take long. */
type Line = 'join' | 'beat';

export interface CommittedPlace {
  /** Null where nothing was committed. */
  readonly offset: number | null;
  readonly base: number;
}

const coordinatorGone: ReadonlySet<number> = new Set([
  code.coordinatorLoading,
  code.coordinatorNotAvailable,
  code.notCoordinator,
]);

export class GroupCalls {
  readonly #cluster: Cluster;
  readonly group: string;
  readonly #id: string;
  readonly #used = new Map<Line, number>();

  constructor(cluster: Cluster, group: string, id: string) {
    this.#cluster = cluster;
    this.group = group;
    this.#id = id;
  }

  join(body: Omit<Requests['JoinGroup'], 'groupId'>, timeoutMs: number): Promise<Responses['JoinGroup']> {
    return this.#call('join', 'JoinGroup', { groupId: this.group, ...body }, timeoutMs);
  }

  sync(body: Omit<Requests['SyncGroup'], 'groupId'>, timeoutMs: number): Promise<Responses['SyncGroup']> {
    return this.#call('join', 'SyncGroup', { groupId: this.group, ...body }, timeoutMs);
  }

  async heartbeat(memberId: string, generationId: number, timeoutMs: number): Promise<number> {
    const body = { groupId: this.group, groupGenerationId: generationId, memberId };
    return (await this.#call('beat', 'Heartbeat', body, timeoutMs)).errorCode;
  }

  async leave(memberId: string, timeoutMs: number): Promise<void> {
    await this.#call('beat', 'LeaveGroup', { groupId: this.group, memberId }, timeoutMs);
  }

  /** @returns the error of each, in their order. */
  async commit(
    memberId: string,
    generationId: number,
    places: readonly { topic: string; partition: number; offset: number; note: string }[],
  ): Promise<readonly number[]> {
    const topics = [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, ofTopic]) => ({
      topic,
      partitions: ofTopic.map(({ partition, offset, note }) => ({ partition, offset: String(offset), metadata: note })),
    }));
    const body = { groupId: this.group, groupGenerationId: generationId, memberId, topics };
    const { responses } = await this.#call('beat', 'OffsetCommit', body);
    const codes = places.map(({ topic, partition }) => {
      const found = responses.find((one) => one.topic === topic)?.partitions.find((one) => one.partition === partition);
      return found?.errorCode ?? code.unknownServerError;
    });
    for (const one of codes) this.#look(one);
    return codes;
  }

  committed(partitions: readonly Pick<HeldUnder, 'topic' | 'partition'>[]): Promise<readonly CommittedPlace[]> {
    return fetchCommitted(this.group, partitions, (body) => this.#call('beat', 'OffsetFetch', body));
  }

  /** Fails what waits for an answer, so that it is asked again, perhaps elsewhere. */
  reset(why: string): void {
    this.#cluster.forgetCoordinator(this.group);
    for (const [line, node] of this.#used) this.#cluster.drop(node, `${line}-${this.#id}`, why);
  }

  async #call<A extends keyof Requests>(
    line: Line,
    api: A,
    body: Requests[A],
    timeoutMs?: number,
  ): Promise<Responses[A]> {
    try {
      const node = await this.#cluster.coordinatorOf(this.group);
      this.#used.set(line, node);
      const connection = await this.#cluster.connection(node, `${line}-${this.#id}`);
      const answer = await connection.request(api, body, timeoutMs);
      if ('errorCode' in answer) this.#look(answer.errorCode);
      return answer;
    } catch (error) {
      if (error instanceof ConnectionFault) {
        this.reset('the coordinator did not answer');
        this.#cluster.refreshSoon();
      }
      throw error;
    }
  }

  #look(errorCode: number): void {
    if (coordinatorGone.has(errorCode)) this.#cluster.forgetCoordinator(this.group);
  }
}

/** In the order of `partitions`. @throws BrokerFault. */
export async function fetchCommitted(
  group: string,
  partitions: readonly Pick<HeldUnder, 'topic' | 'partition'>[],
  ask: (body: Requests['OffsetFetch']) => Promise<Responses['OffsetFetch']>,
): Promise<readonly CommittedPlace[]> {
  if (partitions.length === 0) return [];
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, ofTopic]) => ({
    topic,
    partitions: ofTopic.map(({ partition }) => ({ partition })),
  }));
  const { errorCode, responses } = await ask({ groupId: group, topics });
  const what = `reading the commits of ${group}`;
  if (errorCode !== code.none) throw new BrokerFault(errorCode, what);
  const found = new Map<string, CommittedPlace>();
  for (const { topic, partitions: ofTopic } of responses) {
    for (const { partition, offset, metadata, errorCode: partitionError } of ofTopic) {
      if (partitionError !== code.none) throw new BrokerFault(partitionError, what);
      const { base, none } = decodeCommitNote(metadata);
      const isCommitted = Number(offset) >= 0 && none !== true;
      found.set(`${topic}/${partition}`, { offset: isCommitted ? Number(offset) : null, base });
    }
  }
  return partitions.map(({ topic, partition }) => found.get(`${topic}/${partition}`) ?? { offset: null, base: 0 });
}
