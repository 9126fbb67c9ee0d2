/** A mesh that is there and at rest: its peers are enrolled, every share of every file is known. */
import { setTimeout as wait } from 'node:timers/promises';
import { openLog } from '#cli/connections.ts';
import { foldersOf } from '#cli/context.ts';
import { prepareTopics } from '#cli/prepare-topics.ts';
import { defaultLaterMs } from '#collector/agent/outbox.ts';
import { settingsPollMs } from '#collector/agent/settings.ts';
import { silentLogger } from '#mesh/logger.ts';
import type { Topics } from '#mesh/topics.ts';
import { uint64 } from '#store/row-binary/columns.ts';
import { actedIncarnation } from './acted-peer.ts';
import type { Child } from './child.ts';
import { enrolledRecord, newIdentities } from './identities.ts';
import type { IdleLoadStart, IdleRates } from './idle-load-process.ts';
import { benchContext, type MeasuredServices, oneRow, startMeasuredServices } from './measured-services.ts';
import type { MeshLayout } from './mesh-layout.ts';
import { appliedEventsIn } from './mesh-under-load.ts';

export interface IdleMesh {
  readonly services: MeasuredServices;
  readonly logFolder: string;
  readonly topics: Topics;
  /** Peers do from now on what peers do all day. */
  rest(pace: Pick<IdleRates, 'heartbeatMs' | 'gatherMs'>): Promise<void>;
  stop(): Promise<void>;
}

export interface IdleMeshOptions {
  readonly folder: string;
  readonly layout: MeshLayout;
  readonly load: Child;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly note: (line: string) => void;
}

/** Of agents at their defaults. */
export const restingPace = { heartbeatMs: 10_000, gatherMs: defaultLaterMs };
const settingsMs = settingsPollMs;
const roundMs = 3_600_000;
const fileBytes = 1_000_000;
const recordsAppended = 1000;
const pollMs = 500;

export async function startIdleMesh({ folder, layout, load, settings, note }: IdleMeshOptions): Promise<IdleMesh> {
  // Peers have no address here: there is no share to draw a sample of.
  const context = benchContext(folder, layout, { 'repairer.samplesPerMinute': 0, ...settings });
  const identities = await newIdentities(layout.peers);
  await prepareTopics(context.config, note);
  const { log, topics } = await openLog(context, { role: 'collector', logger: silentLogger });
  for (let at = 0; at < identities.length; at += recordsAppended) {
    const part = identities.slice(at, at + recordsAppended);
    await log.append(
      topics.enrolments.name,
      part.map(({ peerId }) => enrolledRecord(peerId, actedIncarnation)),
    );
  }
  await log.close();
  const services = await startMeasuredServices(context, note);
  try {
    const port = Number(new URL(services.run.collectorUrl).port);
    await load.ask('start', { port, identities, layout } satisfies IdleLoadStart);
    note(`${layout.peers} peers are connected`);
    await load.ask('fill');
    const events = layout.files * layout.n;
    while (appliedEventsIn(await services.metrics()) < events) await wait(pollMs);
    note(`${events} shares are known`);
    const rows = async (table: string): Promise<number> =>
      (
        await oneRow(
          services.store,
          { count: uint64 },
          `SELECT count() AS count FROM ${services.store.qualified(table)}`,
        )
      )?.count ?? 0;
    while ((await rows('placements')) < events || (await rows('file_health')) < layout.files) await wait(pollMs);
    note('and stored, with the health of every file');
  } catch (error) {
    await services.stop();
    throw error;
  }
  return {
    services,
    logFolder: foldersOf(folder, context.config).log,
    topics,
    rest: (pace) => {
      const { agent } = context.config;
      return load.ask('rest', {
        ...pace,
        settingsMs,
        inventoryMs: agent.inventoryIntervalMs,
        roundMs,
        verifiedPerSecond: agent.verifyBytesPerSecond / (fileBytes / layout.k),
      } satisfies IdleRates);
    },
    stop: () => services.stop(),
  };
}
