import { appendFile, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { silentLogger } from '#mesh/logger.ts';
import { Spool, type SpoolOptions } from './spool.ts';
import type { SpoolRecord } from './spool-record.ts';

let directory = '';
let dropped: { reason: string; needsInventory: boolean }[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshward-spool-'));
  dropped = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function openSpool(options: Partial<SpoolOptions> = {}): Promise<Spool> {
  return Spool.open({
    directory,
    maxBytes: 100_000,
    segmentBytes: 1000,
    clock: systemClock,
    log: silentLogger,
    onDropped: (reason, needsInventory) => dropped.push({ reason, needsInventory }),
    ...options,
  });
}

function batch(sequence: number, payloadBytes = 100, inventory: Partial<SpoolRecord> = {}): SpoolRecord {
  return {
    incarnation: 1,
    sequence,
    generation: 0,
    part: 0,
    isLastPart: false,
    payload: new Uint8Array(payloadBytes).fill(sequence),
    ...inventory,
  };
}

const inventoryPart = (
  sequence: number,
  generation: number,
  part: number,
  parts = 2,
  payloadBytes = 100,
): SpoolRecord => batch(sequence, payloadBytes, { generation, part, isLastPart: part === parts - 1 });

async function drain(spool: Spool): Promise<number[]> {
  const sequences: number[] = [];
  for (let record = await spool.peek(); record !== null; record = await spool.peek()) {
    sequences.push(record.sequence);
    expect(record.payload.every((byte) => byte === record.sequence % 256)).toBe(true);
    await spool.sent(record);
  }
  return sequences;
}

const segments = async (): Promise<string[]> =>
  (await readdir(directory)).filter((name) => name.endsWith('.segment')).sort();

test('what was appended comes out once, in order, whatever is sent, reopened and appended between', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), bytes: fc.integer({ min: 0, max: 900 }) }),
    fc.record({ kind: fc.constant('send' as const), bytes: fc.constant(0) }),
    fc.record({ kind: fc.constant('reopen' as const), bytes: fc.constant(0) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      await rm(directory, { recursive: true, force: true });
      let spool = await openSpool();
      let appended = 0;
      const out: number[] = [];
      for (const { kind, bytes } of steps) {
        if (kind === 'append') {
          await spool.append(batch(++appended, bytes));
        } else if (kind === 'send') {
          const record = await spool.peek();
          if (record === null) continue;
          out.push(record.sequence);
          await spool.sent(record);
        } else {
          await spool.close();
          spool = await openSpool();
        }
        expect(spool.stats.batches).toBe(appended - out.length);
      }
      out.push(...(await drain(spool)));
      expect(out).toEqual(Array.from({ length: appended }, (_, index) => index + 1));
      expect(spool.stats).toMatchObject({ batches: 0, bytes: 0, droppedBatches: 0, damagedFiles: 0 });
      await spool.close();
    }),
    { numRuns: 40 },
  );
});

test('files that were sent are deleted', async () => {
  const spool = await openSpool();
  for (let sequence = 1; sequence <= 50; sequence++) await spool.append(batch(sequence));
  expect((await segments()).length).toBeGreaterThan(5);
  await drain(spool);
  expect(await segments()).toHaveLength(1);
  await spool.close();
});

describe('when full', () => {
  test('a whole inventory makes everything before it superfluous', async () => {
    const spool = await openSpool({ maxBytes: 3000 });
    for (let sequence = 1; sequence <= 5; sequence++) await spool.append(batch(sequence));
    await spool.append(inventoryPart(6, 1, 0));
    await spool.append(inventoryPart(7, 1, 1));
    let sequence = 8;
    while (dropped.length === 0) await spool.append(batch(sequence++));
    expect(await drain(spool)).toEqual(Array.from({ length: sequence - 6 }, (_, index) => index + 6));
    expect(dropped).toEqual([{ reason: 'the spool was full', needsInventory: true }]);
    expect(spool.stats).toMatchObject({ droppedBatches: 5, droppedInventories: 0 });
    await spool.close();
  });

  test('an older inventory collapses into a newer one', async () => {
    const spool = await openSpool({ maxBytes: 3000 });
    await spool.append(inventoryPart(1, 1, 0));
    await spool.append(inventoryPart(2, 1, 1));
    await spool.append(inventoryPart(3, 2, 0));
    await spool.append(inventoryPart(4, 2, 1));
    for (let sequence = 5; dropped.length === 0; sequence++) await spool.append(batch(sequence));
    expect(spool.stats.droppedInventories).toBe(1);
    expect((await drain(spool))[0]).toBe(3);
    await spool.close();
  });

  test('without an inventory in it everything goes, and an inventory is owed', async () => {
    const spool = await openSpool({ maxBytes: 3000 });
    for (let sequence = 1; dropped.length === 0; sequence++) await spool.append(batch(sequence));
    expect(dropped[0]?.needsInventory).toBe(true);
    expect(await drain(spool)).toEqual([]);
    await spool.append(batch(1000));
    expect(await drain(spool)).toEqual([1000]);
    await spool.close();
  });

  test('a new inventory pushes out what it replaces, and then waits for room rather than lose its own beginning', async () => {
    const spool = await openSpool({ maxBytes: 3000 });
    for (let sequence = 1; sequence <= 20; sequence++) await spool.append(batch(sequence));
    expect(await spool.append(inventoryPart(21, 1, 0, 3, 1500))).toBe('stored');
    expect(dropped).toEqual([{ reason: 'the spool was full', needsInventory: false }]);
    expect(await spool.append(inventoryPart(22, 1, 1, 3, 1500))).toBe('full');
    const changed = spool.changed();
    expect(await drain(spool)).toEqual([21]);
    await changed;
    expect(await spool.append(inventoryPart(23, 1, 1, 3, 1500))).toBe('stored');
    expect(await drain(spool)).toEqual([23]);
    await spool.close();
  });

  test('it never holds more than it may', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 1200 }), { minLength: 20, maxLength: 60 }), async (sizes) => {
        await rm(directory, { recursive: true, force: true });
        const spool = await openSpool({ maxBytes: 4000, segmentBytes: 500 });
        for (const [index, bytes] of sizes.entries()) {
          await spool.append(batch(index + 1, bytes));
          expect(spool.stats.bytes).toBeLessThanOrEqual(4000);
        }
        const files = await Promise.all((await segments()).map((name) => stat(join(directory, name))));
        expect(files.reduce((sum, file) => sum + file.size, 0)).toBeLessThanOrEqual(4000 + 2000);
        await spool.close();
      }),
      {
        numRuns: 20,
        examples: [[[0, 0, 867, 975, 549, 1154, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1189, 7, 983, 862, 543, 129, 0, 0]]],
      },
    );
  });

  test('a batch that is being sent when it is dropped does not come back', async () => {
    const spool = await openSpool({ maxBytes: 1000 });
    await spool.append(batch(1));
    const sending = await spool.peek();
    for (let sequence = 2; dropped.length === 0; sequence++) await spool.append(batch(sequence));
    await spool.append(batch(500));
    if (sending !== null) await spool.sent(sending);
    expect(await drain(spool)).toEqual([500]);
    await spool.close();
  });
});

describe('damage', () => {
  async function fill(count: number): Promise<void> {
    const spool = await openSpool();
    for (let sequence = 1; sequence <= count; sequence++) await spool.append(batch(sequence));
    await spool.close();
  }

  test('a torn tail is cut off wherever it tore', async () => {
    await fill(3);
    const [name] = await segments();
    const whole = await readFile(join(directory, name as string));
    const recordBytes = (whole.length - 8) / 3;
    for (let cut = 1; cut < recordBytes; cut += 7) {
      await rm(directory, { recursive: true, force: true });
      await fill(3);
      await writeFile(join(directory, name as string), whole.subarray(0, whole.length - cut));
      const spool = await openSpool();
      expect(await drain(spool)).toEqual([1, 2]);
      expect(spool.stats.damagedFiles).toBe(0);
      await spool.close();
    }
    expect(dropped).toEqual([]);
  });

  test('zeros that a power loss left at the end are a torn tail', async () => {
    await fill(2);
    await appendFile(join(directory, (await segments())[0] as string), Buffer.alloc(500));
    const spool = await openSpool();
    expect(await drain(spool)).toEqual([1, 2]);
    expect(dropped).toEqual([]);
    await spool.close();
  });

  test('a damaged file is kept aside, what was whole before the damage is sent, and an inventory is owed', async () => {
    await fill(20);
    const name = (await segments())[1] as string;
    const file = await open(join(directory, name), 'r+');
    await file.write(Buffer.from([1, 2, 3]), 0, 3, 8 + 132 + 60);
    await file.close();
    const spool = await openSpool();
    expect(dropped).toEqual([{ reason: 'files of the spool were damaged', needsInventory: true }]);
    const sequences = await drain(spool);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect(sequences).toContain(20);
    expect(sequences.length).toBeLessThan(20);
    expect(await readdir(join(directory, 'set-aside'))).toEqual([`damaged-${name}`]);
    await spool.close();
  });

  test('both slots of the cursor gone: batches come again, none is missing', async () => {
    const before = await openSpool();
    for (let sequence = 1; sequence <= 20; sequence++) await before.append(batch(sequence));
    for (let i = 0; i < 5; i++)
      await before.sent((await before.peek()) as NonNullable<Awaited<ReturnType<Spool['peek']>>>);
    await before.close();
    await writeFile(join(directory, 'cursor'), Buffer.alloc(64, 7));
    const spool = await openSpool();
    const sequences = await drain(spool);
    expect(sequences.at(-1)).toBe(20);
    expect(sequences).toEqual(expect.arrayContaining([6, 7, 8, 20]));
    await spool.close();
  });

  test('after a refused part the rest of that inventory is passed over, above all its end', async () => {
    const spool = await openSpool();
    for (let part = 0; part < 4; part++) await spool.append(inventoryPart(part + 1, 9, part, 4));
    await spool.append(batch(5));
    await spool.append(inventoryPart(6, 10, 0));
    await spool.append(inventoryPart(7, 10, 1));
    const first = await spool.peek();
    if (first !== null) await spool.sent(first);
    const second = await spool.peek();
    expect(second?.sequence).toBe(2);
    if (second !== null) await spool.refused(second, 'batch-malformed');
    expect(await drain(spool)).toEqual([5, 6, 7]);
    expect(dropped.every((drop) => drop.needsInventory)).toBe(true);
    expect(await readdir(join(directory, 'set-aside'))).toHaveLength(1);
    await spool.close();
  });

  test('an inventory that goes on after a restart is one inventory', async () => {
    const before = await openSpool();
    for (let part = 0; part < 3; part++) await before.append(inventoryPart(part + 1, 4, part, 3));
    const first = await before.peek();
    if (first !== null) await before.sent(first);
    await before.close();
    const spool = await openSpool();
    expect(await drain(spool)).toEqual([2, 3]);
    expect(dropped).toEqual([]);
    await spool.close();
  });
});
