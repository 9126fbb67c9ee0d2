import { beforeEach, describe, expect, it } from 'vitest';
import { FakeLog } from '#log/testing/fake-log.ts';
import { ManualClock, settle } from '#mesh/testing/manual-clock.ts';
import { type EnrolmentFields, enrolmentRecord, peerEvent, peerTick } from '#mesh/testing/records.ts';
import { peerOf } from '#mesh/testing/share-events.ts';
import type { LivenessRules } from './liveness/peer-liveness.ts';
import { nothingStored, type StoredLiveness } from './liveness/stored-lives.ts';
import { type FollowedPeers, followPeers } from './peer-states.ts';
import { createPeerView, peerFactsOf } from './peer-view.ts';
import { openReaderWords } from './reader-words.ts';

const rules: LivenessRules = {
  suspectAfterHeartbeats: 2.5,
  defaultHeartbeatMs: 1000,
  graceMs: 2000,
  graceMaxMs: 2000,
  departAfterMs: 600_000,
  memoryHalfLifeMs: 3_600_000,
};
const topics = { enrolments: 'enrolments', peerEvents: 'peer-events' };
let log: FakeLog;
let clock: ManualClock;
let unusable: string[];
beforeEach(() => {
  clock = new ManualClock();
  log = new FakeLog([
    { name: topics.enrolments, partitions: 1, compacted: true },
    { name: topics.peerEvents, partitions: 1, compacted: false },
  ]);
  unusable = [];
});

function follow(stored: StoredLiveness = nothingStored): Promise<FollowedPeers> {
  return followPeers({
    log,
    topics,
    rules,
    maxTickStepMs: 3000,
    stored,
    clock,
    onUnusable: (reason) => unusable.push(reason),
  });
}

async function say(...values: Uint8Array[]): Promise<void> {
  await log.append(
    topics.peerEvents,
    values.map((value) => ({ partition: 0, key: null, value })),
  );
  await settle();
}

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await clock.advance(1000);
    await say(peerTick(clock.nowMs()));
  }
}

const enrolment = (peer: number, fields: EnrolmentFields = {}) => ({ partition: 0, ...enrolmentRecord(peer, fields) });

const stateOf = (followed: FollowedPeers, peer: number) =>
  followed.facts().find((facts) => facts.peer === peerOf(peer))?.state;

describe('the states of peers, followed from the log', () => {
  it('are those that were in the log, and go on with it', async () => {
    await log.append(topics.enrolments, [enrolment(1, { domains: { zone: 'a' } })]);
    await say(peerTick(clock.nowMs()), peerEvent(1, 1, 1, { says: 'heartbeat' }));
    const followed = await follow();
    expect(followed.facts()).toMatchObject([
      { peer: peerOf(1), state: 'up', name: 'enrolled-1', domains: { zone: 'a' } },
    ]);
    await pass(3);
    expect(stateOf(followed, 1)).toBe('suspect');
    await pass(3);
    expect(stateOf(followed, 1)).toBe('down');
    await say(peerEvent(1, 1, 2, { says: 'heartbeat' }));
    expect(stateOf(followed, 1)).toBe('up');
    await log.append(topics.enrolments, [enrolment(1, { revoked: true })]);
    await settle();
    expect(stateOf(followed, 1)).toBe('departed');
    await followed.close();
  });

  it('grow old when the log has no ticks, while nobody falls silent; and are fresh again with the next', async () => {
    await say(peerTick(clock.nowMs()), peerEvent(1, 1, 1, { says: 'heartbeat' }));
    const followed = await follow();
    const view = createPeerView(
      { facts: () => peerFactsOf(followed.facts(), clock.nowMs()), ageMs: () => followed.ageMs() },
      15_000,
    );
    expect(view.freshness()).toEqual({ isFresh: true, ageMs: 0 });
    await clock.advance(16_000);
    view.refresh();
    expect(view.freshness()).toEqual({ isFresh: false, ageMs: 16_000 });
    expect(view.fact(peerOf(1))?.state).toBe('up');
    // Words without a tick do not make time go on.
    await say(peerEvent(1, 1, 2, { says: 'heartbeat' }));
    expect(view.freshness().isFresh).toBe(false);
    await say(peerTick(clock.nowMs()));
    expect(view.freshness()).toEqual({ isFresh: true, ageMs: 0 });
    await followed.close();
  });

  it('are old from the start where the log has been quiet for long, or was never spoken in', async () => {
    const never = await follow();
    expect(never.ageMs()).toBe(Number.POSITIVE_INFINITY);
    await never.close();
    await say(peerTick(clock.nowMs() - 60_000));
    const followed = await follow();
    expect(followed.ageMs()).toBe(60_000);
    await followed.close();
  });

  it('do not depend on how far the clock that makes the ticks is from ours', async () => {
    const aheadMs = 40_000;
    await say(peerTick(clock.nowMs() - aheadMs));
    const followed = await follow();
    await say(peerTick(clock.nowMs() - aheadMs + 1000));
    expect(followed.ageMs()).toBe(0);
    await followed.close();
  });

  it('go on from the lives that were stored, which tell since when a peer has been silent', async () => {
    await say(peerTick(clock.nowMs()), peerEvent(1, 1, 1, { says: 'heartbeat' }));
    const first = await follow();
    await pass(10);
    const [facts] = first.facts();
    await first.close();
    const mark = { nextOffset: 12, watermarkMs: clock.nowMs(), elapsedMs: 10_000 };
    const second = await follow({ marks: [mark], lives: new Map([[peerOf(1), facts?.life as never]]) });
    expect(second.facts()[0]).toMatchObject({ state: 'down', silenceMs: 10_000 });
    expect(peerFactsOf(second.facts(), clock.nowMs())[0]).toMatchObject({
      silenceMs: 10_000,
      stateSinceMs: clock.nowMs() - (facts?.inStateMs ?? Number.NaN),
    });
    await second.close();
  });

  it('are not taken from the lives of another log', async () => {
    await say(peerTick(clock.nowMs()), peerEvent(1, 1, 1, { says: 'heartbeat' }));
    const first = await follow();
    const life = first.facts()[0]?.life as never;
    await first.close();
    const mark = { nextOffset: 900, watermarkMs: 1, elapsedMs: 1 };
    const other = await follow({ marks: [mark], lives: new Map([[peerOf(2), life]]) });
    expect(other.facts().map((facts) => facts.peer)).toEqual([peerOf(1)]);
    await other.close();
  });

  it('hear what readers say of a peer, but not of one that nobody else has spoken of', async () => {
    await say(peerTick(clock.nowMs()), peerEvent(1, 1, 1, { says: 'heartbeat' }));
    const followed = await follow();
    const words = await openReaderWords({
      log,
      topics: { ...topics, shareEvents: topics.peerEvents },
      clock,
      reader: 'test',
      onFailed: (reason) => unusable.push(reason),
    });
    for (const peer of [1, 2]) words.notReached(peerOf(peer), 'no connection');
    await words.flush();
    await settle();
    expect(followed.facts()).toMatchObject([{ peer: peerOf(1), state: 'suspect', unreachableMs: 0 }]);
    expect(peerFactsOf(followed.facts(), clock.nowMs())[0]).toMatchObject({ state: 'suspect', unreachableMs: 0 });
    words.reached(peerOf(1));
    await words.flush();
    await settle();
    expect(followed.facts()).toMatchObject([{ state: 'up', unreachableMs: null }]);
    await followed.close();
  });

  it('pass over what cannot be read, and tell of it', async () => {
    const followed = await follow();
    await say(Uint8Array.of(255, 255), peerTick(clock.nowMs()), peerEvent(1, 1, 1, { says: 'heartbeat' }));
    expect(stateOf(followed, 1)).toBe('up');
    expect(unusable).toHaveLength(1);
    expect(unusable[0]).toContain('peer-events/0/0');
    await followed.close();
  });
});

describe('what repairs see of the peers', () => {
  it('leaves out peers that were never heard, and gives nothing to those that have not said what they can take', async () => {
    await log.append(topics.enrolments, [enrolment(1, {}), enrolment(2, {})]);
    await say(peerTick(clock.nowMs()), peerEvent(2, 1, 1, { says: 'heartbeat' }));
    const followed = await follow();
    expect(peerFactsOf(followed.facts(), clock.nowMs())).toMatchObject([{ peerId: peerOf(2), state: 'up' }]);
    await followed.close();
  });
});
