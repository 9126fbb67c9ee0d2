import { expect, test } from 'vitest';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { regenerateSegmentsAsync } from '#native/segments.ts';
import { FileTimesRecorder } from './file-times.ts';

const index = storageIndexFromBytes(new Uint8Array(16));
const other = storageIndexFromBytes(new Uint8Array(16).fill(1));
const kindsOf = (recorder: FileTimesRecorder): string[] =>
  recorder.take().flatMap(({ waits }) => waits.map(({ wait }) => wait));

test('a request waits for its turn and then for its peer, and is of the file that it names', async () => {
  const recorder = new FileTimesRecorder();
  let isReadingBack = false;
  await recorder.follow(
    index,
    () => isReadingBack,
    async () => {
      const read = recorder.request(index, 'read');
      read?.started();
      read?.started(); // its second attempt
      read?.ended();
      isReadingBack = true;
      const readBack = recorder.request(index, 'read');
      readBack?.started();
      readBack?.ended();
      recorder.request(index, 'write')?.ended(); // called off before its turn
      expect(recorder.request(other, 'read')).toBeUndefined();
    },
  );
  expect(kindsOf(recorder)).toEqual([
    'turn to read',
    'peers read from',
    'turn to read back',
    'peers read back from',
    'turn to write',
  ]);
  expect(recorder.request(index, 'read')).toBeUndefined();
});

test('memory is waited for by the file that asks for it', async () => {
  const recorder = new FileTimesRecorder();
  const buffers = recorder.buffers(1000);
  const { signal } = new AbortController();
  await buffers.reserve(1000, { urgent: false, signal });
  const waiting = recorder.follow(
    index,
    () => false,
    () => buffers.reserve(10, { urgent: false, signal }),
  );
  expect(buffers.waiting).toBe(1);
  buffers.giveBack(1000);
  await waiting;
  const [times] = recorder.take();
  expect(times?.waits.map(({ wait }) => wait)).toEqual(['memory']);
  expect(recorder.take()).toEqual([]);
});

test('work on the threads of the addon is of the file in whose context it was asked for', async () => {
  const recorder = new FileTimesRecorder();
  const stop = recorder.followJobs();
  const blocks = Array.from({ length: 2 }, () => new Uint8Array(256 * 1024));
  const make = () =>
    regenerateSegmentsAsync({
      k: 2,
      n: 4,
      sourceNumbers: [0, 1],
      wantedNumbers: [2, 3],
      segments: [{ sources: blocks }],
    });
  await make();
  await recorder.follow(index, () => false, make);
  stop();
  await recorder.follow(other, () => false, make);
  const [first, second] = recorder.take();
  expect(first?.waits.map(({ wait }) => wait)).toEqual(['threads']);
  expect(second?.waits).toEqual([]);
});
