import { inspect } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { FakeLog } from '#log/testing/fake-log.ts';
import { EnrolmentSchema } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { settle } from '#mesh/testing/manual-clock.ts';
import { openDirectory } from './directory.ts';

const topic = 'enrolments';
const peerId = Buffer.alloc(32, 1).toString('base64url') as PeerId;
const secret = 'pb://x@h:1/swissnum-of-the-peer#v=1';

function enrolment(change: { nurl?: string; revoked?: boolean } = {}) {
  const body = {
    case: 'peer' as const,
    value: { peerId: peerIdToBytes(peerId), name: 'one', domains: { zone: 'a' }, nurl: secret, ...change },
  };
  return {
    partition: 0,
    key: Buffer.from(peerId),
    value: toBinary(EnrolmentSchema, create(EnrolmentSchema, { body })),
  };
}

async function open(log: FakeLog, unusable: string[] = []) {
  const opened: string[] = [];
  const directory = await openDirectory({
    log,
    topic,
    connect: (nurl) => {
      opened.push(nurl);
      return { serial: opened.length };
    },
    onUnusable: (reason) => unusable.push(reason),
  });
  await directory.ready;
  return { directory, opened };
}

describe('the directory', () => {
  it('knows who is enrolled, connects once, and anew when the address changes', async () => {
    const log = new FakeLog([{ name: topic, partitions: 1, compacted: true }]);
    await log.append(topic, [
      enrolment(),
      { partition: 0, key: Buffer.from('token:abc'), value: toBinary(EnrolmentSchema, create(EnrolmentSchema)) },
    ]);
    const { directory, opened } = await open(log);
    expect(directory.peers()).toEqual([{ peerId, name: 'one', domains: { zone: 'a' }, revoked: false }]);
    expect(directory.storage(peerId)).toBe(directory.storage(peerId));
    await log.append(topic, [enrolment({ nurl: `${secret}2` })]);
    await settle();
    expect(directory.storage(peerId)).toEqual({ serial: 2 });
    expect(opened).toEqual([secret, `${secret}2`]);
    await directory.close();
  });

  it('gives no way to a peer that was revoked, serves nothing, or was taken off', async () => {
    const log = new FakeLog([{ name: topic, partitions: 1, compacted: true }]);
    await log.append(topic, [enrolment({ revoked: true })]);
    const { directory } = await open(log);
    expect(directory.storage(peerId)).toBeUndefined();
    expect(directory.peers()).toEqual([]);
    await log.append(topic, [enrolment({ nurl: '' })]);
    await settle();
    expect(directory.storage(peerId)).toBeUndefined();
    await log.append(topic, [{ partition: 0, key: Buffer.from(peerId), value: null }]);
    await settle();
    expect(directory.peer(peerId)).toBeUndefined();
    await directory.close();
  });

  it('shows no secret, and passes over what it cannot read', async () => {
    const log = new FakeLog([{ name: topic, partitions: 1, compacted: true }]);
    const unusable: string[] = [];
    await log.append(topic, [{ partition: 0, key: Buffer.from('x'), value: Buffer.from([0xff]) }, enrolment()]);
    const { directory } = await open(log, unusable);
    expect(unusable).toHaveLength(1);
    expect(inspect([directory, directory.peers(), directory.peer(peerId)], { depth: 9 })).not.toContain('swissnum');
    await directory.close();
  });
});
