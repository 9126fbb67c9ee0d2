import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeAssignment,
  decodeCommitNote,
  decodeSubscription,
  encodeAssignment,
  encodeCommitNote,
  encodeSubscription,
} from './group-wire.ts';

const topic = fc.constantFrom('events', 'peer-events', 'ünï');
const held = fc.uniqueArray(fc.record({ topic, partition: fc.nat({ max: 5000 }), generation: fc.maxSafeNat() }), {
  maxLength: 30,
  selector: (one) => `${one.topic}/${one.partition}`,
});
const inOrder = (list: readonly { topic: string; partition: number }[]): unknown[] =>
  list.toSorted((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);

test('a subscription comes back as it was said, and differs each time it is said', () => {
  fc.assert(
    fc.property(held, fc.maxSafeNat(), (claims, base) => {
      const member = { topics: [{ name: 'events', partitions: 64 }], claims, base };
      const bytes = encodeSubscription(member, 1);
      const decoded = decodeSubscription('m', bytes);
      expect(decoded).toMatchObject({ id: 'm', topics: member.topics, base });
      expect(inOrder(decoded.claims)).toEqual(inOrder(claims));
      expect(encodeSubscription(member, 2).equals(bytes)).toBe(false);
    }),
  );
});

test('an assignment comes back as it was said; an empty one is of nothing', () => {
  fc.assert(
    fc.property(held, fc.maxSafeNat(), (partitions, base) => {
      const decoded = decodeAssignment(encodeAssignment({ base, partitions }));
      expect(decoded.base).toBe(base);
      expect(inOrder(decoded.partitions)).toEqual(inOrder(partitions));
    }),
  );
  expect(decodeAssignment(Buffer.alloc(0))).toEqual({ base: 0, partitions: [] });
});

test('a member that cannot be understood wants nothing and has nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(decodeSubscription('m', Buffer.from(bytes))).toEqual({ id: 'm', topics: [], claims: [], base: 0 });
    }),
  );
});

test('the envelopes are those that tools for Kafka read', () => {
  const subscription = encodeSubscription({ topics: [{ name: 'ab', partitions: 1 }], claims: [], base: 0 }, 0);
  expect(subscription.subarray(0, 10)).toEqual(Buffer.from([0, 0, 0, 0, 0, 1, 0, 2, 0x61, 0x62]));
  const partitions = [{ topic: 'ab', partition: 7, generation: 1 }];
  const assignment = encodeAssignment({ base: 1, partitions });
  expect(assignment.subarray(0, 18)).toEqual(Buffer.from([0, 0, 0, 0, 0, 1, 0, 2, 0x61, 0x62, 0, 0, 0, 1, 0, 0, 0, 7]));
});

test('a commit says whether anything was dealt with, and one that is not ours is taken at its offset', () => {
  expect(decodeCommitNote(encodeCommitNote({ base: 7 }))).toEqual({ base: 7 });
  expect(decodeCommitNote(encodeCommitNote({ base: 7, none: true }))).toEqual({ base: 7, none: true });
  for (const foreign of [null, '', 'set by hand', '{}', '[1]', '{"base":"x"}']) {
    expect(decodeCommitNote(foreign)).toEqual({ base: 0 });
  }
});
