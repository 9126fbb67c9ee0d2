import { fromBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { PeerEventsRecordSchema } from '#mesh/generated/events_pb.js';
import { type Grade, grades } from '#mesh/grade.ts';
import { peerOf } from '#mesh/testing/share-events.ts';
import type { SweepTotals } from '../files/share-map/share-map.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import { ExposureRows, mergeExposure } from './exposure.ts';
import { MeshView } from './mesh-view.ts';
import { type AnalyzerTroubles, encodeReport, type JudgedPartition, type Report, readReport } from './report.ts';
import type { StaleReason } from './stale-reason.ts';

const totalsWith = (files: number): SweepTotals => ({ ...emptyTotals(), files, bytes: files * 10 });
const judged = (partition: number, generation: number, files: number): JudgedPartition => {
  return { partition, generation, totals: totalsWith(files) };
};
const noTroubles: AnalyzerTroubles = { staleReasons: [], refusedEvents: 0, truncatedRecords: 0, owedInventories: 0 };
const reason = (words: string): StaleReason => ({ kind: 'reported', words });
const reportOf = (analyzer: string, partitions: readonly JudgedPartition[], more: Partial<Report> = {}): Report => {
  return {
    ...noTroubles,
    analyzer,
    atMs: 1000,
    partitions,
    ownedPartitions: partitions.length,
    inventoryAsks: [],
    ...more,
  };
};

describe('a report', () => {
  it('comes over the log as it was', () => {
    const count = fc.record({ files: fc.nat(1e9), bytes: fc.nat(2 ** 40) });
    const policies = fc.dictionary(
      fc.string({ maxLength: 8 }),
      fc.record({
        byGrade: fc.array(fc.tuple(fc.constantFrom(...grades), count)),
        byMargin: fc.array(fc.tuple(fc.integer({ min: -256, max: 256 }), count)),
      }),
    );
    const counted = fc.array(fc.tuple(fc.constantFrom(...grades), count));
    fc.assert(
      fc.property(policies, fc.nat(1e6), fc.option(counted, { nil: undefined }), (ofPolicies, others, ofCounted) => {
        const byPolicy = new Map(Object.entries(ofPolicies).map(([name, { byGrade }]) => [name, new Map(byGrade)]));
        const byMargin = new Map(Object.entries(ofPolicies).map(([name, of]) => [name, new Map(of.byMargin)]));
        const byGrade = new Map(emptyTotals().byGrade);
        for (const counts of byPolicy.values()) {
          for (const [grade, { files, bytes }] of counts) {
            const known = byGrade.get(grade as Grade) ?? { files: 0, bytes: 0 };
            byGrade.set(grade, { files: known.files + files, bytes: known.bytes + bytes });
          }
        }
        const sum = (figure: 'files' | 'bytes') => [...byGrade.values()].reduce((all, each) => all + each[figure], 0);
        const totals: SweepTotals = {
          files: sum('files'),
          bytes: sum('bytes'),
          filesWithoutManifest: others,
          settlingFiles: others + 1,
          byGrade,
          byCountedGrade: ofCounted === undefined ? undefined : new Map(ofCounted),
          byPolicy,
          byMargin,
        };
        const report = reportOf('a', [{ partition: 3, generation: 9, totals }], {
          staleReasons: [reason('because')],
          refusedEvents: 1,
          truncatedRecords: 2,
          owedInventories: 3,
        });
        const { body } = fromBinary(PeerEventsRecordSchema, encodeReport(report));
        expect(body.case === 'report' && readReport(body.value)).toEqual(report);
      }),
    );
  });
});

describe('the view of the mesh', () => {
  let view: MeshView;
  const hear = (report: Report, heardMs = 1000): void => view.note(report, heardMs);
  beforeEach(() => {
    view = new MeshView({ analyzer: 'me', staleAfterMs: 500 });
  });
  const whole = (own: readonly JudgedPartition[], nowMs = 1000, troubles = noTroubles) =>
    view.whole(own, new Set(own.map(({ partition }) => partition)), troubles, 4, nowMs);

  it('adds up its own partitions and what others report of theirs', () => {
    hear(reportOf('b', [judged(1, 1, 10), judged(2, 1, 20)]));
    hear(reportOf('c', [judged(3, 1, 40)]));
    expect(whole([judged(0, 1, 5)])).toMatchObject({ totals: { files: 75, bytes: 750 }, unknownPartitions: 0 });
  });

  it('counts a partition that moves once, by its newest generation, whatever order reports come in', () => {
    hear(reportOf('b', [judged(1, 2, 11)]));
    hear(reportOf('c', [judged(1, 1, 10)]));
    expect(whole([]).totals.files).toBe(11);
    // It has come here.
    expect(whole([judged(1, 3, 12)]).totals.files).toBe(12);
  });

  it('says how many partitions nobody tells of: those of an analyzer that is silent too', () => {
    hear(reportOf('b', [judged(1, 1, 10)]));
    expect(whole([judged(0, 1, 5)]).unknownPartitions).toBe(2);
    expect(whole([judged(0, 1, 5)], 1501)).toMatchObject({ unknownPartitions: 3, totals: { files: 5 } });
  });

  it('compares no clocks: a report is as old as the log says, however wrong the clock of who sent it is', () => {
    hear(reportOf('b', [judged(1, 1, 10)], { atMs: 1 }));
    hear(reportOf('c', [judged(2, 1, 20)], { atMs: 9e15 }));
    expect(whole([judged(0, 1, 5)], 1500)).toMatchObject({ unknownPartitions: 1, totals: { files: 35 } });
    expect(whole([judged(0, 1, 5)], 1501)).toMatchObject({ unknownPartitions: 3, totals: { files: 5 } });
  });

  it('hears nothing of itself in the log', () => {
    hear(reportOf('me', [judged(1, 1, 10)]));
    expect(whole([]).totals.files).toBe(0);
  });

  it('tells of the troubles of all, and whose they are where there are several', () => {
    const mine = { staleReasons: [reason('slow')], refusedEvents: 1, truncatedRecords: 2, owedInventories: 3 };
    expect(whole([], 1000, mine).staleReasons).toEqual([reason('slow')]);
    hear(
      reportOf('b', [judged(1, 1, 1)], {
        staleReasons: [reason('lost')],
        refusedEvents: 4,
        truncatedRecords: 5,
        owedInventories: 2,
      }),
    );
    expect(whole([], 1000, mine)).toMatchObject({
      staleReasons: [
        { ...reason('slow'), analyzer: 'me' },
        { ...reason('lost'), analyzer: 'b' },
      ],
      refusedEvents: 5,
      truncatedRecords: 7,
      // An inventory is of all partitions: peers that owe one to several analyzers send it once.
      owedInventories: 3,
    });
  });

  it('forgets the troubles of an analyzer that owns nothing any more', () => {
    hear(reportOf('b', [], { staleReasons: [reason('left')] }));
    expect(whole([]).staleReasons).toEqual([]);
  });
});

describe('exposure', () => {
  const row = (filesBelowK: number) => ({ filesBelowK, filesBelowRepair: 0 });
  const of = (zones: Readonly<Record<string, number>>) => ({
    peers: new Map(),
    domains: new Map([['zone', new Map(Object.entries(zones).map(([zone, files]) => [zone, row(files)]))]]),
  });

  it('is the sum over partitions', () => {
    expect(mergeExposure([of({ a: 1, b: 2 }), of({ b: 3 })])).toEqual(of({ a: 1, b: 5 }));
  });

  it('gets a row of zeros, once, for what is exposed no more', () => {
    const rows = new ExposureRows();
    expect(rows.next(of({ a: 1, b: 2 }), 1)).toHaveLength(2);
    expect(rows.next(of({ b: 2 }), 2)).toEqual([
      { kind: 'zone', domain: 'b', atMs: 2, ...row(2) },
      { kind: 'zone', domain: 'a', atMs: 2, ...row(0) },
    ]);
    expect(rows.next(of({ b: 2 }), 3)).toHaveLength(1);
  });

  it('of single peers keeps the worst', () => {
    const peers = new Map(Array.from({ length: 500 }, (_, peer) => [peerOf(peer), row(peer)] as const));
    const kept = new ExposureRows().next({ peers, domains: new Map() }, 1);
    expect(kept).toHaveLength(200);
    expect(kept[0]).toMatchObject({ kind: 'peer', domain: peerOf(499), filesBelowK: 499 });
  });
});
