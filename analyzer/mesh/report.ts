/** What analyzers tell each other of their partitions, as it stands in peer-events. */
import { create, toBinary } from '@bufbuild/protobuf';
import { parsed } from '#mesh/events/records.ts';
import {
  type AnalyzerReport,
  AnalyzerReportSchema,
  type FileGrade,
  type PartitionReport,
  PeerEventsRecordSchema,
  type PolicyReport,
  PolicyReportSchema,
} from '#mesh/generated/events_pb.js';
import { type Grade, grades } from '#mesh/grade.ts';
import { peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import { fileGrades } from '../files/partition/at-risk-list.ts';
import type { SweepTotals } from '../files/share-map/share-map.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import type { InventoryAsk } from './inventory-asks.ts';
import { type StaleReason, staleReasonWords } from './stale-reason.ts';

/** What keeps one analyzer from seeing everything. */
export interface AnalyzerTroubles {
  readonly staleReasons: readonly StaleReason[];
  /** Events of files that found no room. */
  readonly refusedEvents: number;
  /** Records that left the log unread and are not made good yet. */
  readonly truncatedRecords: number;
  /** Of peers, by which they will be. */
  readonly owedInventories: number;
}

export interface JudgedPartition {
  readonly partition: number;
  readonly generation: number;
  readonly totals: SweepTotals;
}

/** Reports all stand in this partition of peer-events. */
export const reportsPartition = 0;

export interface Report extends AnalyzerTroubles {
  /** Instance name. */
  readonly analyzer: string;
  /** By its own clock, for people. */
  readonly atMs: number;
  readonly partitions: readonly JudgedPartition[];
  /** Those that it has not judged yet too. */
  readonly ownedPartitions: number;
  readonly inventoryAsks: readonly InventoryAsk[];
}

interface Count {
  readonly files: number;
  readonly bytes: number;
}

export function encodeReport(report: Report): Uint8Array {
  const value = create(AnalyzerReportSchema, {
    analyzer: report.analyzer,
    atMs: BigInt(Math.round(report.atMs)),
    partitions: report.partitions.map(({ partition, generation, totals }) => ({
      partition,
      generation: BigInt(generation),
      filesWithoutManifest: BigInt(totals.filesWithoutManifest),
      settlingFiles: BigInt(totals.settlingFiles),
      policies: [...totals.byPolicy].map(([policy, byGrade]) => policyReport(policy, byGrade, totals)),
      ...countedReport(totals.byCountedGrade),
    })),
    staleReasons: report.staleReasons.map(staleReasonWords),
    refusedEvents: BigInt(report.refusedEvents),
    truncatedRecords: BigInt(report.truncatedRecords),
    owedInventories: report.owedInventories,
    ownedPartitions: report.ownedPartitions,
    inventoryAsks: report.inventoryAsks.map(({ peer, request }) => ({
      peerId: peerIdToBytes(peer),
      request: BigInt(request),
    })),
  });
  return toBinary(PeerEventsRecordSchema, create(PeerEventsRecordSchema, { body: { case: 'report', value } }));
}

/** @throws MeshwardError `batch-malformed` where its columns differ in length. */
export function readReport(message: AnalyzerReport): Report {
  return parsed(() => ({
    analyzer: message.analyzer,
    atMs: Number(message.atMs),
    partitions: message.partitions.map((each) => ({
      partition: each.partition,
      generation: Number(each.generation),
      totals: totalsOf(each),
    })),
    staleReasons: message.staleReasons.map((words) => ({ kind: 'reported', words })),
    refusedEvents: Number(message.refusedEvents),
    truncatedRecords: Number(message.truncatedRecords),
    owedInventories: message.owedInventories,
    ownedPartitions: message.ownedPartitions,
    inventoryAsks: message.inventoryAsks.map(({ peerId, request }) => ({
      peer: peerIdFromBytes(peerId),
      request: Number(request),
    })),
  }));
}

function countedReport(counted: SweepTotals['byCountedGrade']) {
  const rows = [...(counted ?? [])];
  return {
    knowsCounted: counted !== undefined,
    countedGrades: rows.map(([grade]) => fileGrades[grade]),
    countedFiles: rows.map(([, { files }]) => BigInt(files)),
    countedBytes: rows.map(([, { bytes }]) => BigInt(bytes)),
  };
}

function policyReport(
  policy: string,
  byGrade: ReadonlyMap<Grade, Count>,
  { byMargin }: Pick<SweepTotals, 'byMargin'>,
): PolicyReport {
  const margins = [...(byMargin.get(policy) ?? [])];
  const counts = [...byGrade];
  const files = (rows: readonly (readonly [unknown, Count])[]) => rows.map(([, count]) => BigInt(count.files));
  const bytes = (rows: readonly (readonly [unknown, Count])[]) => rows.map(([, count]) => BigInt(count.bytes));
  return create(PolicyReportSchema, {
    policy,
    margins: margins.map(([margin]) => margin),
    marginFiles: files(margins),
    marginBytes: bytes(margins),
    grades: counts.map(([grade]) => fileGrades[grade]),
    gradeFiles: files(counts),
    gradeBytes: bytes(counts),
  });
}

function totalsOf(partition: PartitionReport): SweepTotals {
  const { policies, filesWithoutManifest, settlingFiles } = partition;
  const byPolicy = new Map<string, ReadonlyMap<Grade, Count>>();
  const byMargin = new Map<string, ReadonlyMap<number, Count>>();
  const byGrade = new Map(emptyTotals().byGrade);
  let files = 0;
  let bytes = 0;
  for (const report of policies) {
    const ofGrades = columnsToCounts(report.grades.map(gradeOfNumber), report.gradeFiles, report.gradeBytes);
    byPolicy.set(report.policy, ofGrades);
    byMargin.set(report.policy, columnsToCounts(report.margins, report.marginFiles, report.marginBytes));
    for (const [grade, count] of ofGrades) {
      const known = byGrade.get(grade) ?? { files: 0, bytes: 0 };
      byGrade.set(grade, { files: known.files + count.files, bytes: known.bytes + count.bytes });
      files += count.files;
      bytes += count.bytes;
    }
  }
  return {
    files,
    bytes,
    filesWithoutManifest: Number(filesWithoutManifest),
    settlingFiles: Number(settlingFiles),
    byGrade,
    byCountedGrade: partition.knowsCounted
      ? columnsToCounts(partition.countedGrades.map(gradeOfNumber), partition.countedFiles, partition.countedBytes)
      : undefined,
    byPolicy,
    byMargin,
  };
}

function gradeOfNumber(number: FileGrade): Grade | undefined {
  return grades.find((grade) => fileGrades[grade] === number);
}

function columnsToCounts<K>(
  keys: readonly (K | undefined)[],
  files: readonly bigint[],
  bytes: readonly bigint[],
): ReadonlyMap<K, Count> {
  if (files.length !== keys.length || bytes.length !== keys.length) throw new Error('the columns of a report differ');
  return new Map(
    keys.flatMap((key, i): [K, Count][] =>
      key === undefined ? [] : [[key, { files: Number(files[i]), bytes: Number(bytes[i]) }]],
    ),
  );
}
