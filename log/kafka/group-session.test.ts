import { expect, test } from 'vitest';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import type { Cluster } from './cluster.ts';
import { code } from './faults.ts';
import { GroupSession } from './group-session.ts';

/** A coordinator that lets a member in, does not come to tell it what it owns, and has forgotten it when it asks. */
function forgetfulCluster(): Cluster {
  const answers: Readonly<Record<string, unknown>> = {
    JoinGroup: { errorCode: code.none, memberId: 'm', generationId: 1, leaderId: 'other', members: [] },
    Heartbeat: { errorCode: code.unknownMemberId },
    LeaveGroup: { errorCode: code.none },
  };
  const connection = {
    request: (api: string) => (api in answers ? Promise.resolve(answers[api]) : new Promise(() => undefined)),
  };
  const part: Partial<Cluster> = {
    settings: {
      clock: new ManualClock(),
      logger: silentLogger,
      limits: { requestTimeoutMs: 1000 },
      counts: { rebalances: 0 },
    } as unknown as Cluster['settings'],
    closing: new AbortController().signal,
    coordinatorOf: () => Promise.resolve(1),
    connection: () => Promise.resolve(connection as unknown as Awaited<ReturnType<Cluster['connection']>>),
    forgetCoordinator: () => undefined,
    drop: () => undefined,
  };
  return part as Cluster;
}

const spec = {
  id: 'a',
  group: 'g',
  topics: [{ name: 't', partitions: 1 }],
  sessionTimeoutMs: 6000,
  revokeTimeoutMs: 1000,
};

test('a member that is forgotten before it was taken in may try again: the log is not closed for that', async () => {
  const session = new GroupSession(forgetfulCluster(), spec, () => undefined);
  await expect.poll(() => session.confirm()).toBeNull();
  await expect(session.joined).rejects.toMatchObject({ code: 'log-unavailable', retryable: true });
});

test('one that leaves before it was taken in is told that the log is closed', async () => {
  const session = new GroupSession(forgetfulCluster(), spec, () => undefined);
  await session.leave();
  await expect(session.joined).rejects.toMatchObject({ code: 'log-closed', retryable: false });
});
