// The whole way on the log that one machine runs on: enrol, post, kill nothing, start anew.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createEmbeddedLog } from '#log/embedded-log.ts';
import { systemClock } from '#mesh/clock.ts';
import { allTopics } from '#mesh/topics.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import {
  batchPost,
  heartbeatPost,
  newOperator,
  newPeer,
  nurlOf,
  startGateway,
  testTopics,
} from './testing/gateway-under-test.ts';

async function openLog(directory: string) {
  const log = await createEmbeddedLog({ directory, topics: allTopics(testTopics), clock: systemClock });
  onTestFinished(() => log.close());
  return log;
}

test('peers, posts and settings survive a restart of gateway and log, and two gateways on one directory agree', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'meshward-gateway-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const log = await openLog(directory);
  const first = await startGateway({ log, config: { tickMs: 50 } });
  const identity = await newOperator(log);
  const operator = first.client(identity);
  const peer = await newPeer(log, first, { zone: 'a' });
  expect(await first.client(peer).postEvents(batchPost(peer, { eventCount: 20_000 }))).toEqual({ accepted: 20_000 });
  expect(await first.client(peer).postEvents(heartbeatPost(peer))).toEqual({ accepted: 1 });
  await operator.changeSettings(peer.peerId, { heartbeatMs: 777 });

  // A second process would open the directory by itself; so does this.
  const otherLog = await openLog(directory);
  const second = await startGateway({ log: otherLog, config: { tickMs: 50 } });
  expect(await second.client(peer).settings()).toMatchObject({ heartbeatMs: 777, version: 2 });
  const { token } = await operator.createToken({});
  const [one, two] = [await createPeerIdentity(), await createPeerIdentity()];
  const request = (who: typeof one) => ({ token, name: 'n', domains: {}, nurl: nurlOf(who), capacityBytes: 1 });
  const outcomes = await Promise.allSettled([
    first.client(one).enrol(request(one)),
    second.client(two).enrol(request(two)),
  ]);
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);

  await Promise.all([first.gateway.close(), second.gateway.close()]);
  await Promise.all([log.close(), otherLog.close()]);

  const reopened = await openLog(directory);
  const third = await startGateway({ log: reopened });
  expect(await third.client(identity).directory()).toHaveLength(2);
  expect(await third.client(peer).postEvents(batchPost(peer, { sequence: 2 }))).toEqual({ accepted: 8 });
  let events = 0;
  for (const { partition, nextOffset } of await reopened.bounds(testTopics.shareEvents.name)) {
    expect(nextOffset).toBeGreaterThan(0);
    events += (await reopened.read(testTopics.shareEvents.name, partition, 0, 64 * 1024 * 1024)).filter(
      (record) => record.key !== null,
    ).length;
  }
  expect(events).toBe(8); // two batches in four partitions each
});
