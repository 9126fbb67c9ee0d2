import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { corruptFlag, type FileKind, manifestFlag, ShareTable } from './share-table.ts';
import { loadTable, saveTable } from './share-table-file.ts';

const kinds: FileKind[] = ['immutable', 'mutable', 'half-written', 'empty'];

function keyOf(seed: number): Uint8Array {
  return new Uint8Array(16).fill(seed);
}

interface Entry {
  kind: FileKind;
  sizeBytes: number;
  corrupt: boolean;
}

function contentOf(table: ShareTable): Map<string, Entry> {
  const content = new Map<string, Entry>();
  for (let slot = 0; slot < table.slotLimit; slot++) {
    if (!table.isUsed(slot)) continue;
    content.set(`${table.storageIndexOf(slot)[0]}/${table.numberOf(slot)}`, {
      kind: table.kindOf(slot),
      sizeBytes: table.sizeOf(slot),
      corrupt: table.has(slot, corruptFlag),
    });
  }
  return content;
}

const operation = fc.record({
  seed: fc.integer({ min: 0, max: 12 }),
  number: fc.integer({ min: 0, max: 8 }),
  what: fc.constantFrom('put', 'remove', 'corrupt', 'mend'),
  kind: fc.constantFrom(...kinds),
  sizeBytes: fc.integer({ min: 0, max: 2 ** 40 }),
});

interface Operation {
  readonly seed: number;
  readonly number: number;
  readonly what: string;
  readonly kind: FileKind;
  readonly sizeBytes: number;
}

function play(operations: readonly Operation[]): {
  table: ShareTable;
  model: Map<string, Entry>;
} {
  const table = new ShareTable();
  const model = new Map<string, Entry>();
  for (const { seed, number, what, kind, sizeBytes } of operations) {
    const name = `${seed}/${number}`;
    const slot = table.find(keyOf(seed), number);
    const known = model.get(name);
    expect(slot >= 0).toBe(known !== undefined);
    if (what === 'put') {
      if (slot >= 0) table.update(slot, kind, sizeBytes, 1);
      else table.insert(keyOf(seed), number, kind, sizeBytes, 1);
      model.set(name, { kind, sizeBytes, corrupt: known?.corrupt ?? false });
    } else if (known !== undefined && what === 'remove') {
      table.remove(slot);
      model.delete(name);
    } else if (known !== undefined) {
      table.set(slot, corruptFlag, what === 'corrupt');
      known.corrupt = what === 'corrupt';
    }
  }
  return { table, model };
}

test('the table holds what a map would, and its counts are those of its content', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
      const { table, model } = play(operations);
      expect(contentOf(table)).toEqual(model);
      for (const kind of kinds)
        expect(table.countOf(kind)).toBe([...model.values()].filter((entry) => entry.kind === kind).length);
      const shares = [...model.values()].filter((entry) => entry.kind === 'immutable');
      expect(table.shareBytes).toBe(shares.reduce((sum, entry) => sum + entry.sizeBytes, 0));
      expect(table.corruptCount).toBe([...model.values()].filter((entry) => entry.corrupt).length);
      const columns = table.columns();
      expect(columns.count).toBe(shares.length);
      expect(columns.corrupt.reduce((sum, flag) => sum + flag, 0)).toBe(shares.filter((entry) => entry.corrupt).length);
    }),
  );
});

test('the shares of a file are found by its storage index alone', () => {
  const table = new ShareTable();
  for (let seed = 0; seed < 50; seed++)
    for (const number of [0, 7, 255]) table.insert(keyOf(seed), number, 'immutable', 1, 1);
  const numbers: number[] = [];
  for (let slot = table.firstOf(keyOf(20)); slot >= 0; slot = table.nextOf(slot)) numbers.push(table.numberOf(slot));
  expect(numbers.sort((a, b) => a - b)).toEqual([0, 7, 255]);
});

test('many shares take some forty bytes each', () => {
  const table = new ShareTable();
  const key = new Uint8Array(16);
  const view = new DataView(key.buffer);
  const count = 300_000;
  for (let i = 0; i < count; i++) {
    view.setUint32(0, Math.imul(i, 0x9e3779b1));
    view.setUint32(4, i);
    table.insert(key, i % 100, 'immutable', 1000, i);
  }
  const bytes = table.memoryBytes / count;
  console.log(`share table: ${bytes.toFixed(1)} bytes a share`);
  expect(bytes).toBeLessThan(40 * 1.3 + 8); // columns grow by three tenths
});

test('a saved table comes back as it was; a damaged one does not come back', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'meshward-table-'));
  const path = join(directory, 'table');
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 100 }), fc.nat(), async (operations, where) => {
        const { table } = play(operations);
        for (let slot = 0; slot < table.slotLimit; slot++) if (table.isUsed(slot)) table.set(slot, manifestFlag, true);
        table.verifyPosition = table.slotLimit;
        await saveTable(path, table);
        const loaded = await loadTable(path);
        expect(loaded === null ? null : contentOf(loaded)).toEqual(contentOf(table));
        expect(loaded?.verifyPosition).toBe(contentOf(table).size);
        const isForgotten = loaded?.slotLimit === 0 || loaded?.has(0, manifestFlag) === false;
        expect(isForgotten).toBe(true);
        const bytes = await readFile(path);
        const at = where % bytes.length;
        if (at >= 12 && at < 16) return; // the verifier's position needs no check
        bytes[at] = (bytes[at] as number) ^ 0x55;
        await writeFile(path, bytes);
        expect(await loadTable(path)).toBeNull();
      }),
      { numRuns: 30 },
    );
    expect(await loadTable(join(directory, 'none'))).toBeNull();
  } finally {
    await rm(directory, { recursive: true });
  }
});
