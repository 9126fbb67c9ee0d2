import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppendRecord } from '#log/port.ts';
import { afterOwner, afterRecord, type ListFence, noFence, standingOf } from '#mesh/list-fence.ts';
import { ownerRecordOf, under } from '../testing/at-risk-record.ts';

interface Placed extends AppendRecord {
  readonly offset: number;
  readonly headers: Readonly<Record<string, string>>;
}

const placed = (records: readonly AppendRecord[]): readonly Placed[] =>
  records.map((record, offset) => ({ headers: {}, ...record, offset }));

const fenceOf = (records: readonly Placed[]): ListFence =>
  records.reduce((fence, record) => afterRecord(fence, record), noFence);

const entry = (generation: number): AppendRecord =>
  under(generation, { partition: 0, key: new Uint8Array(16), value: new Uint8Array() });

describe('the fence of a standing list', () => {
  it('lets everything count where no owner ever said anything', () => {
    expect(standingOf(noFence, 0, 5)).toBe('counts');
  });

  it('holds what stood before it until it is confirmed, and never believes what an older owner writes behind it', () => {
    const fence = fenceOf(placed([entry(3), ownerRecordOf(4), entry(3)]));
    expect([standingOf(fence, 3, 0), standingOf(fence, 3, 2), standingOf(fence, 4, 3)]).toEqual([
      'unconfirmed',
      'fenced',
      'counts',
    ]);
    const confirmed = afterOwner(fence, placed([ownerRecordOf(4, { fenceOffset: 1, confirmed: true })])[0] as Placed);
    expect([standingOf(confirmed, 3, 0), standingOf(confirmed, 3, 2)]).toEqual(['counts', 'fenced']);
  });

  it('does not give way to the record of an older owner', () => {
    const fence = fenceOf(placed([ownerRecordOf(7, { confirmed: true })]));
    expect(afterOwner(fence, placed([ownerRecordOf(6)])[0] as Placed)).toBe(fence);
  });

  it('begins anew with each owner: what the last one confirmed the next one has to confirm', () => {
    const confirmed = ownerRecordOf(2, { confirmed: true });
    expect(fenceOf(placed([ownerRecordOf(1, { confirmed: true }), ownerRecordOf(2), confirmed])).confirmed).toBe(true);
    expect(fenceOf(placed([confirmed, ownerRecordOf(3)])).confirmed).toBe(false);
  });

  it('is the same of a compacted log, once its newest record of the owner is read', () => {
    const history = fc.array(
      fc.record({ kind: fc.constantFrom('entry', 'takes-over', 'confirms'), late: fc.boolean(), key: fc.nat(3) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(history, (steps) => {
        let generation = 1;
        let fenceOffset = 0;
        const records: AppendRecord[] = [ownerRecordOf(1)];
        for (const { kind, late, key } of steps) {
          if (kind === 'takes-over') {
            fenceOffset = records.length;
            records.push(ownerRecordOf(++generation));
          } else if (kind === 'confirms') {
            records.push(ownerRecordOf(generation, { fenceOffset, confirmed: true }));
          } else {
            const by = late ? Math.max(1, generation - 1) : generation;
            records.push({ ...entry(by), key: new Uint8Array(16).fill(key) });
          }
        }
        const all = placed(records);
        const newest = new Map(all.map((record) => [Buffer.from(record.key ?? []).toString('hex'), record.offset]));
        const kept = all.filter(({ key, offset }) => newest.get(Buffer.from(key ?? []).toString('hex')) === offset);
        const [whole, compacted] = [fenceOf(all), fenceOf(kept)];
        expect(compacted.generation).toBe(whole.generation);
        expect(compacted.fenceOffset).toBe(whole.fenceOffset);
        expect(compacted.confirmed).toBe(whole.confirmed);
      }),
    );
  });
});
