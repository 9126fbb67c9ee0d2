import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import type { LogRecord } from '#log/port.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { PeerEventsRecordSchema, ShareEventsRecordSchema } from '#mesh/generated/events_pb.js';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import type { GatewayLog } from './service.ts';
import { batchesIn, batchPost, newLog, newPeer, startGateway, testTopics } from './testing/gateway-under-test.ts';

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function tickTimes(
  records: readonly LogRecord[],
  schema: typeof ShareEventsRecordSchema | typeof PeerEventsRecordSchema,
  partition: number,
) {
  return records
    .filter((record) => record.partition === partition)
    .flatMap((record) => {
      const { body } = fromBinary<typeof ShareEventsRecordSchema>(
        schema as typeof ShareEventsRecordSchema,
        record.value as Uint8Array,
      );
      return body.case === 'tick' ? [Number(body.value.atMs)] : [];
    });
}

test('each interval puts a tick with the time into every partition of both event topics', async () => {
  const log = newLog();
  const clock = new ManualClock(1_000_000);
  await startGateway({ log, clock, config: { tickMs: 1000 } });
  for (let i = 0; i < 3; i++) {
    await settled();
    clock.advanceSync(1000);
  }
  const expected = [1_000_000, 1_001_000, 1_002_000, 1_003_000];
  for (let partition = 0; partition < testTopics.shareEvents.partitions; partition++) {
    expect(tickTimes(log.all(testTopics.shareEvents.name), ShareEventsRecordSchema, partition)).toEqual(expected);
  }
  for (let partition = 0; partition < testTopics.peerEvents.partitions; partition++) {
    expect(tickTimes(log.all(testTopics.peerEvents.name), PeerEventsRecordSchema, partition)).toEqual(expected);
  }
});

test('when ticks cannot be written they are tried on, never piled up, and the gateway says that it is not ready', async () => {
  const log = newLog();
  const clock = new ManualClock();
  let mode: 'works' | 'fails' | 'hangs' = 'works';
  let underWay = 0;
  let mostUnderWay = 0;
  const held = Promise.withResolvers<void>();
  const flaky: GatewayLog = {
    follow: log.follow.bind(log),
    bounds: log.bounds.bind(log),
    append: async (topic, records) => {
      if (topic !== testTopics.shareEvents.name) return log.append(topic, records);
      underWay += 1;
      mostUnderWay = Math.max(mostUnderWay, underWay);
      try {
        if (mode === 'fails') throw new MeshwardError('log-unavailable', 'no', { next: 'wait', retryable: true });
        if (mode === 'hangs') await held.promise;
        return await log.append(topic, records);
      } finally {
        underWay -= 1;
      }
    },
  };
  const { gateway } = await startGateway({ log: flaky, clock, config: { tickMs: 1000 } });
  const pass = async (intervals: number) => {
    for (let i = 0; i < intervals; i++) {
      clock.advanceSync(1000);
      await settled();
    }
  };
  await pass(2);
  expect(gateway.health()).toEqual({ ready: true, reasons: [] });
  mode = 'fails';
  await pass(7);
  expect(gateway.health()).toMatchObject({ ready: false, reasons: ['ticks cannot be written to the log'] });
  mode = 'hangs';
  await pass(7);
  expect(mostUnderWay).toBe(1);
  mode = 'works';
  held.resolve();
  await settled();
  await pass(2);
  expect(gateway.health().ready).toBe(true);
});

test('closing finishes the posts under way and takes no new ones', async () => {
  const log = newLog();
  const durable = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const slow: GatewayLog = {
    follow: log.follow.bind(log),
    bounds: log.bounds.bind(log),
    append: async (topic, records) => {
      if (topic === testTopics.shareEvents.name && records.some((record) => record.key !== null)) {
        arrived.resolve();
        await durable.promise;
      }
      return log.append(topic, records);
    },
  };
  const underTest = await startGateway({ log: slow });
  const { gateway } = underTest;
  const peer = await newPeer(log, underTest);
  const caller = underTest.client(peer);
  const underWay = caller.postEvents(batchPost(peer));
  await arrived.promise;
  const closed = gateway.close();
  expect(gateway.health()).toMatchObject({ ready: false, reasons: ['closing'] });
  await expect(underTest.client(peer).postEvents(batchPost(peer, { sequence: 2 }))).rejects.toMatchObject({
    code: 'service-unavailable',
    retryable: true,
  });
  durable.resolve();
  expect(await underWay).toEqual({ accepted: 8 });
  await closed;
  expect(new Set(batchesIn(log).map(({ batch }) => batch.sequence))).toEqual(new Set([1n]));
  await expect(caller.postEvents(batchPost(peer, { sequence: 2 }))).rejects.toMatchObject({
    status: 0,
    retryable: true,
  });
});

test('when the log ends the reading of enrolments the gateway says so, keeps its table and reads anew', async () => {
  const log = newLog();
  const clock = new ManualClock();
  const ends: (() => void)[] = [];
  const breaking: GatewayLog = {
    append: log.append.bind(log),
    bounds: log.bounds.bind(log),
    follow: async (topics, from, onRecords) => {
      const following = await log.follow(topics, from, onRecords);
      const broken = Promise.withResolvers<void>();
      ends.push(() => broken.reject(new MeshwardError('log-unavailable', 'gone', { next: 'wait', retryable: true })));
      return { ...following, ended: Promise.race([following.ended, broken.promise]) };
    },
  };
  const underTest = await startGateway({ log: breaking, clock });
  const peer = await newPeer(log, underTest);
  ends[0]?.();
  await settled();
  expect(underTest.gateway.health().reasons).toEqual(['the enrolments cannot be followed']);
  expect(await underTest.client(peer).postEvents(batchPost(peer))).toEqual({ accepted: 8 });
  clock.advanceSync(1000);
  for (let i = 0; i < 10; i++) await settled();
  expect(underTest.gateway.health().ready).toBe(true);
  const late = await newPeer(log, underTest);
  expect(await underTest.client(late).postEvents(batchPost(late))).toEqual({ accepted: 8 });
});

test('a taken port is said so, and leaves nothing behind', async () => {
  const log = newLog();
  const first = await startGateway({ log });
  await expect(startGateway({ log, config: { port: first.port } })).rejects.toMatchObject({
    code: 'service-unavailable',
  });
});
