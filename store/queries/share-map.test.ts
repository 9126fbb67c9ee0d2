import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import { type Store } from '../client.ts';
import { enqueuePlacements, type PlacementColumns } from '../placement-columns.ts';
import {
  appliedOf,
  fileBatches,
  filesByIndex,
  indexesWithPrefix,
  placementBlocks,
  placementsOfFile,
} from '../queries.ts';
import { uint64 } from '../row-binary/columns.ts';
import * as tables from '../tables.ts';
import { collect, file, indexOf, peerOf } from '../test-rows.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { createStoreWriter, type StoreWriter } from '../writer.ts';

let testStore: TestStore;
let store: Store;
let writer: StoreWriter;

beforeAll(async () => {
  testStore = await startTestStore();
  store = await testStore.openDatabase('whole');
  writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
});
afterAll(async () => {
  await testStore.close();
});

describe('the share map', () => {
  test('placements come back in columns: the newest version of each, lost ones gone, other partitions apart', async () => {
    const count = 3000;
    const random = (bytes: number): Uint8Array =>
      new Uint8Array(createHash('shake256', { outputLength: bytes }).update(String(bytes)).digest());
    const columns: PlacementColumns = {
      count,
      partition: 7,
      storageIndexes: random(16 * count),
      shareNumbers: random(count),
      peers: random(32 * 300),
      peerIndexes: Uint16Array.from({ length: count }, (_, row) => (row * 7) % 300),
      states: Uint8Array.from({ length: count }, (_, row) => (row % 10 === 0 ? 3 : 1)),
      generations: Uint32Array.from({ length: count }, (_, row) => row),
      incarnations: new Float64Array(count).fill(2),
      sequences: Float64Array.from({ length: count }, (_, row) => 2 ** 40 + row),
      versions: new Float64Array(count).fill(2 ** 45),
    };
    await enqueuePlacements(writer, columns);
    await enqueuePlacements(writer, { ...columns, count: 1, partition: 8 });
    await writer.flush();
    // Later: the first 500 are lost, the next 500 are renamed by another inventory.
    const newer = { versions: new Float64Array(count).fill(2 ** 45 + 1), generations: new Uint32Array(count).fill(77) };
    const states = columns.states.map((state, row) => (row < 500 ? 2 : state));
    await enqueuePlacements(writer, { ...columns, ...newer, states, count: 1000 });
    // An old version that comes late changes nothing.
    await enqueuePlacements(writer, {
      ...columns,
      versions: new Float64Array(count).fill(5),
      generations: new Uint32Array(count).fill(1),
    });
    await writer.flush();

    const found = new Map<string, string>();
    for await (const block of placementBlocks(store, 7)) {
      for (let row = 0; row < block.count; row++) {
        const index = storageIndexFromBytes(block.storageIndexes, row * 16);
        const holder = peerIdFromBytes(
          block.peers.slice((block.peerIndexes[row] as number) * 32, (block.peerIndexes[row] as number) * 32 + 32),
        );
        found.set(`${index} ${block.shareNumbers[row]} ${holder}`, `${block.states[row]} ${block.generations[row]}`);
      }
    }
    const expected = new Map<string, string>();
    for (let row = 500; row < count; row++) {
      const index = storageIndexFromBytes(columns.storageIndexes, row * 16);
      const at = (columns.peerIndexes[row] as number) * 32;
      const generation = row < 1000 ? 77 : row;
      expected.set(
        `${index} ${columns.shareNumbers[row]} ${peerIdFromBytes(columns.peers.slice(at, at + 32))}`,
        `${columns.states[row]} ${generation}`,
      );
    }
    expect(found).toEqual(expected);
    const one = await placementsOfFile(store, storageIndexFromBytes(columns.storageIndexes, 16 * 1500));
    expect(one).toMatchObject([
      { partition: 7, state: 'corrupt', generation: 1500, incarnation: 2, sequence: 2 ** 40 + 1500, version: 2 ** 45 },
    ]);
  });

  test('a partition with nothing gives nothing', async () => {
    expect(await collect(placementBlocks(store, 63))).toEqual([]);
    expect(await appliedOf(store, 63)).toEqual([]);
  });

  test('placements as rows are the same as in columns', async () => {
    const row: tables.PlacementRow = {
      partition: 9,
      storageIndex: indexOf('as-row'),
      shareNumber: 255,
      peerId: peerOf('a'),
      state: 'stored',
      generation: 2 ** 32 - 1,
      incarnation: 1,
      sequence: Number.MAX_SAFE_INTEGER,
      version: 3,
    };
    await writer.enqueue(tables.placements, [row]);
    await writer.flush();
    expect(await placementsOfFile(store, indexOf('as-row'))).toEqual([row]);
    const [block] = await collect(placementBlocks(store, 9));
    expect(block?.storageIndexes).toEqual(storageIndexToBytes(indexOf('as-row')));
  });

  test('a merge of everything takes lost placements and deleted files out for good', async () => {
    const row: tables.PlacementRow = {
      partition: 11,
      storageIndex: indexOf('merged'),
      shareNumber: 1,
      peerId: peerOf('a'),
      state: 'stored',
      generation: 1,
      incarnation: 1,
      sequence: 1,
      version: 1,
    };
    await writer.enqueue(tables.placements, [row, { ...row, shareNumber: 2 }]);
    await writer.enqueue(tables.files, [file('merged', { partition: 11 })]);
    await writer.flush();
    await writer.enqueue(tables.placements, [{ ...row, state: 'lost', version: 2 }]);
    await writer.enqueue(tables.files, [file('merged', { partition: 11, deleted: true, version: 2 })]);
    await writer.flush();
    for (const [table, left] of [
      ['placements', 1],
      ['files', 0],
    ] as const) {
      await store.command(`OPTIMIZE TABLE ${store.qualified(table)} FINAL CLEANUP`);
      const [found] = await store.select(
        { rows: uint64 },
        `SELECT count() FROM ${store.qualified(table)} WHERE partition = 11`,
      );
      expect([table, found?.rows]).toEqual([table, left]);
    }
  });

  test('the last batch applied of each peer is its newest version', async () => {
    const row = {
      partition: 1,
      peerId: peerOf('a'),
      incarnation: 1,
      sequence: 5,
      generation: 1,
      openGeneration: 2,
      version: 10,
      ownerHeardAt: 0,
    };
    await writer.enqueue(tables.applied, [row, { ...row, peerId: peerOf('b') }]);
    await writer.flush();
    await writer.enqueue(tables.applied, [
      { ...row, sequence: 9, version: 11 },
      { ...row, partition: 2 },
    ]);
    await writer.flush();
    const found = await appliedOf(store, 1);
    expect(new Map(found.map((one) => [one.peerId, one.sequence]))).toEqual(
      new Map([
        [peerOf('a'), 9],
        [peerOf('b'), 5],
      ]),
    );
  });

  test('files come back until they are deleted, by partition, by index and by the start of their name', async () => {
    await writer.enqueue(tables.files, [
      file('one'),
      file('two', { origin: 'derived', tag: '' }),
      file('three', { partition: 2 }),
    ]);
    await writer.flush();
    await writer.enqueue(tables.files, [file('two', { deleted: true, version: 2 })]);
    await writer.flush();
    expect((await collect(fileBatches(store, 1))).flat()).toEqual([file('one')]);
    expect(await filesByIndex(store, [indexOf('two'), indexOf('three'), indexOf('never')])).toEqual([
      file('three', { partition: 2 }),
    ]);
    expect(await filesByIndex(store, [])).toEqual([]);
    expect(await indexesWithPrefix(store, indexOf('one').slice(0, 9))).toEqual([indexOf('one')]);
  });
});
