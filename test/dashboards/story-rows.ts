/** Writes the story with the pipeline's own writers: the analyzer's store and alert board, the repairer's rows. */
import { randomUUID } from 'node:crypto';
import { AlertBoard } from '#analyzer/alerts/alert-board.ts';
import { ClickHouseAnalyzerStore } from '#analyzer/clickhouse/clickhouse-store.ts';
import { placementBlockOf } from '#analyzer/files/share-map/stored-blocks.ts';
import { systemClock } from '#mesh/clock.ts';
import { repairRow } from '#repairer/audit.ts';
import type { Store } from '#store/client.ts';
import * as tables from '#store/tables.ts';
import { createStoreWriter } from '#store/writer.ts';
import { writeCampaigns } from './story-campaigns.ts';
import { minuteMs, moments, StoryMesh } from './story-mesh.ts';
import * as values from './story-values.ts';

export interface ToldStory {
  readonly mesh: StoryMesh;
  readonly beginMs: number;
  readonly endMs: number;
}

const always = { holds: () => Promise.resolve(true) };
const exposureMinutes = 5;
const peersMinutes = 2;

/** @param minutes how much of the day is told; it ends at `endMs`. */
export async function tellStory(store: Store, endMs: number, minutes: number): Promise<ToldStory> {
  const writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
  const analyzer = new ClickHouseAnalyzerStore({ store, writer, clock: systemClock, analyzer: 'analyzer-1' });
  const mesh = new StoryMesh();
  const board = new AlertBoard(randomUUID);
  const beginMs = endMs - (minutes - 1) * minuteMs;
  await analyzer.claimPartition(0, 1);
  for (let n = 0; n < minutes; n++) {
    const minute = mesh.step();
    const atMs = beginMs + minute * minuteMs;
    const totals = values.totalsOf(mesh.files);
    await analyzer.saveSweeps([{ totals, atMs }]);
    if (minute % exposureMinutes === 0 || n === minutes - 1) await analyzer.saveExposure(values.exposureOf(mesh, atMs));
    if (minute % peersMinutes === 0 || n === minutes - 1) await analyzer.savePeers(values.factsOf(mesh, minute), atMs);
    await analyzer.saveStateChanges(
      mesh.changes.map(({ peer, from, to }) => ({ peer: peer.id, from, to, silenceMs: 60_000, shares: 300 })),
      atMs,
    );
    await analyzer.saveAlerts(board.update(values.alertsOf(mesh, totals), atMs));
    await analyzer.saveHealth(
      mesh.files
        .filter((file) => file.changed)
        .map((file) => ({
          partition: 0,
          generation: 1,
          health: values.healthOf(file),
          atMs,
          previousGrade: file.previousGrade,
          gradeSinceMs: beginMs + file.gradeSince * minuteMs,
          cause: values.causeOf(file, mesh),
          log10Loss: Math.min(0, -(file.available - file.policy.k) / 4 - 0.3),
        })),
      always,
    );
    await writer.enqueue(
      tables.repairs,
      mesh.repairs.map((repair) => repairRow(values.reportOf(repair, beginMs, mesh.random), 'a'.repeat(32))),
    );
    if (minute === moments.proofs) {
      const proven = mesh.files.slice(10, 40).map((file, number) => values.proofOf(file, atMs, number));
      await writer.enqueue(tables.proofs, proven);
    }
    await writer.enqueue(tables.serviceFigures, values.figuresAt(mesh, minute, atMs));
    await writeCampaigns(writer, mesh, minute, atMs);
  }
  const files = mesh.files.map((file) => values.fileRowOf(file, beginMs));
  const placements = [placementBlockOf(values.placementRows(mesh))];
  await analyzer.savePartitions([{ partition: 0, version: 1, changes: { files, applied: [], placements } }]);
  const marks = [{ nextOffset: 10, watermarkMs: endMs, elapsedMs: minutes * minuteMs }];
  await analyzer.saveLiveness({ marks, lives: new Map() });
  await writer.close();
  return { mesh, beginMs, endMs };
}
