import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { InMemoryLog } from '#log/in-memory.ts';
import { DeadLetterSchema } from '#mesh/generated/events_pb.js';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { findLetters, type LetterSummary, type LettersLog, listLetters } from './letters.ts';

const topic = 'dead-letters';
const ada = new Uint8Array(32).fill(1);
const newLog = () => new InMemoryLog([{ name: topic, partitions: 1, compacted: false }]);

async function write(log: InMemoryLog, letters: readonly Parameters<typeof create<typeof DeadLetterSchema>>[1][]) {
  const values = letters.map((letter) => toBinary(DeadLetterSchema, create(DeadLetterSchema, letter)));
  await log.append(
    topic,
    values.map((value) => ({ partition: 0, key: null, value })),
  );
}

const numbers = (letters: readonly LetterSummary[]) => letters.map(({ number }) => number);

test('letters come newest first, by reason, sender, age and count', async () => {
  const log = newLog();
  const codes = ['batch-malformed', 'peer-revoked', 'batch-malformed'];
  await write(
    log,
    codes.map((reasonCode) => ({ reasonCode, peerId: reasonCode === 'peer-revoked' ? ada : new Uint8Array() })),
  );
  expect(numbers(await listLetters(log, topic, {}, 10))).toEqual([2, 1, 0]);
  expect(numbers(await listLetters(log, topic, {}, 2))).toEqual([2, 1]);
  expect(numbers(await listLetters(log, topic, { code: 'batch-malformed' }, 10))).toEqual([2, 0]);
  expect(numbers(await listLetters(log, topic, { peerId: peerIdFromBytes(ada) }, 10))).toEqual([1]);
  expect(await listLetters(log, topic, { sinceMs: Date.now() + 60_000 }, 10)).toEqual([]);
});

test('a mark is no letter: it shows at the letter that it names, the last of them', async () => {
  const log = newLog();
  await write(log, [{ reasonCode: 'a' }, { reasonCode: 'b' }]);
  for (const records of [1, 2]) {
    await write(log, [{ replay: { partition: 0, offset: 0n, topic: 'share-events', records } }]);
  }
  const letters = await listLetters(log, topic, {}, 10);
  expect(numbers(letters)).toEqual([1, 0]);
  expect(letters.map(({ replayed }) => replayed?.records ?? null)).toEqual([null, 2]);
  await expect(findLetters(log, topic, new Set([0, 2]))).rejects.toMatchObject({ code: 'letter-unknown' });
  expect(numbers(await findLetters(log, topic, new Set([0, 1])))).toEqual([1, 0]);
});

test('a thousand large letters are never in memory together, and bytes that are no letter are told', async () => {
  const log = newLog();
  for (let i = 0; i < 700; i++) await write(log, [{ reasonCode: `c${i}`, payload: new Uint8Array(1000) }]);
  await log.append(topic, [{ partition: 0, key: null, value: Uint8Array.from([255, 255]) }]);
  let mostAtOnce = 0;
  const watched: LettersLog = {
    bounds: (name) => log.bounds(name),
    async read(name, partition, from, maxBytes) {
      const records = await log.read(name, partition, from, Math.min(maxBytes, 20_000));
      mostAtOnce = Math.max(mostAtOnce, records.length);
      return records;
    },
  };
  const letters = await listLetters(watched, topic, {}, 1000);
  expect(numbers(letters)).toEqual(Array.from({ length: 701 }, (_, i) => 700 - i));
  expect(letters[0]).toMatchObject({ code: 'unreadable', payloadBytes: 2 });
  expect(letters.every((letter) => !('payload' in letter))).toBe(true);
  expect(mostAtOnce).toBeLessThan(50);
});

test('what a letter says of itself is shown without secrets and control characters', async () => {
  const log = newLog();
  await write(log, [
    { reasonCode: 'x', reason: 'no \u001b[2J URI:CHK:aaaa:bbbb:3:10:7 mwt_abcDEF', contentType: 'a\u202eb' },
  ]);
  const [letter] = await listLetters(log, topic, {}, 1);
  expect(letter?.reason).toBe('no \\u001b[2J URI:CHK:(secret) mwt_(secret)');
  expect(letter?.contentType).toBe('a\\u202eb');
});
