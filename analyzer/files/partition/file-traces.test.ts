import { describe, expect, it } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { FileTraces } from './file-traces.ts';

const traceparent = (id: string, flags = '01'): string => `00-${id.padStart(32, '0')}-00000000000000ab-${flags}`;

function columns(from: number, count: number): Uint8Array {
  const bytes = new Uint8Array(16 * count);
  for (let i = 0; i < count; i++) new DataView(bytes.buffer).setUint32(16 * i, from + i);
  return bytes;
}

function file(number: number): StorageIndex {
  return storageIndexFromBytes(columns(number, 1));
}

describe('traces of files', () => {
  it('lead from the last batch that touched a file', () => {
    const traces = new FileTraces();
    traces.note(traceparent('1'), columns(0, 3), 0);
    traces.note(traceparent('2'), columns(2, 3), 0);
    expect(traces.of(file(1), 0)).toBe(traceparent('1'));
    expect(traces.of(file(2), 0)).toBe(traceparent('2'));
    expect(traces.of(file(9), 0)).toBeUndefined();
  });

  it('are noted only where they are kept', () => {
    const traces = new FileTraces();
    traces.note(traceparent('1', '00'), columns(0, 1), 0);
    traces.note(undefined, columns(0, 1), 0);
    expect(traces.of(file(0), 0)).toBeUndefined();
  });

  it('are bounded: the files touched longest ago are forgotten', () => {
    const traces = new FileTraces();
    traces.note(traceparent('1'), columns(0, 9_000), 0);
    traces.note(traceparent('2'), columns(20_000, 9_000), 0);
    expect(traces.of(file(0), 0)).toBeUndefined();
    expect(traces.of(file(8_999), 0)).toBeDefined();
    expect(traces.of(file(28_999), 0)).toBeDefined();
    traces.note(traceparent('3'), columns(100_000, 20_000), 0);
    expect(traces.of(file(28_999), 0)).toBeUndefined();
    expect(traces.of(file(119_999), 0)).toBeDefined();
  });

  it('are the same whether somebody asks after each batch or only at the end', () => {
    const [often, once] = [new FileTraces(), new FileTraces()];
    for (let batch = 0; batch < 60; batch++) {
      const named = columns((batch * 700) % 9_000, 1000);
      for (const traces of [often, once]) traces.note(traceparent(String(batch)), named, 0);
      often.of(file(0), 0);
    }
    for (let batch = 50; batch < 60; batch++) {
      const named = file(((batch * 700) % 9_000) + 500);
      expect(once.of(named, 0)).toBeDefined();
      expect(once.of(named, 0)).toBe(often.of(named, 0));
    }
  });

  it('lead from no batch that is long ago: what becomes of the file then has another reason', () => {
    const traces = new FileTraces();
    traces.note(traceparent('1'), columns(0, 1), 1000);
    expect(traces.of(file(0), 61_000)).toBe(traceparent('1'));
    expect(traces.of(file(0), 61_001)).toBeUndefined();
  });

  it('are handed to one look: the newest of many batches, each once', () => {
    const traces = new FileTraces();
    for (let batch = 1; batch <= 200; batch++) traces.note(traceparent(String(batch)), columns(0, 1), 0);
    const taken = traces.takeUnjudged();
    expect(taken.length).toBeLessThanOrEqual(64);
    expect(taken.at(-1)).toBe(traceparent('200'));
    expect(traces.takeUnjudged()).toEqual([]);
  });
});
