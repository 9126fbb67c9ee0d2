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
    traces.note(traceparent('1'), columns(0, 3));
    traces.note(traceparent('2'), columns(2, 3));
    expect(traces.headersOf(file(1))).toEqual({ traceparent: traceparent('1') });
    expect(traces.headersOf(file(2))).toEqual({ traceparent: traceparent('2') });
    expect(traces.headersOf(file(9))).toEqual({});
  });

  it('are noted only where they are kept', () => {
    const traces = new FileTraces();
    traces.note(traceparent('1', '00'), columns(0, 1));
    traces.note(undefined, columns(0, 1));
    expect(traces.headersOf(file(0))).toEqual({});
  });

  it('are bounded: the files touched longest ago are forgotten', () => {
    const traces = new FileTraces();
    traces.note(traceparent('1'), columns(0, 9_000));
    traces.note(traceparent('2'), columns(20_000, 9_000));
    expect(traces.headersOf(file(0))).toEqual({});
    expect(traces.headersOf(file(8_999))).not.toEqual({});
    expect(traces.headersOf(file(28_999))).not.toEqual({});
    traces.note(traceparent('3'), columns(100_000, 20_000));
    expect(traces.headersOf(file(28_999))).toEqual({});
    expect(traces.headersOf(file(119_999))).not.toEqual({});
  });

  it('are the same whether somebody asks after each batch or only at the end', () => {
    const [often, once] = [new FileTraces(), new FileTraces()];
    for (let batch = 0; batch < 60; batch++) {
      const named = columns((batch * 700) % 9_000, 1000);
      for (const traces of [often, once]) traces.note(traceparent(String(batch)), named);
      often.headersOf(file(0));
    }
    for (let batch = 50; batch < 60; batch++) {
      const named = file(((batch * 700) % 9_000) + 500);
      expect(once.headersOf(named)).not.toEqual({});
      expect(once.headersOf(named)).toEqual(often.headersOf(named));
    }
  });
});
