/** Campaigns, calendars and limits in the repairer's process. */
import { hostname } from 'node:os';
import type { Meter } from '@opentelemetry/api';
import { apiSender } from '#access/api-sender.ts';
import { createApiClient } from '#analyzer/api/client.ts';
import { FollowedTable } from '#log/followed-table.ts';
import { brakeWordOf, ratesOf } from '#mesh/campaigns/limits.ts';
import { isWindowOpen, windowsOf } from '#mesh/campaigns/schedule.ts';
import { CampaignTable } from '#mesh/campaigns/table.ts';
import { systemClock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import type { MeshAccess } from '#peers/mesh-access.ts';
import { OwnerWords } from '#peers/owner-words.ts';
import { Calendar } from '#repairer/calendar/calendar.ts';
import { runCampaign } from '#repairer/calendar/run-campaign.ts';
import { runCanary } from '#repairer/calendar/run-canary.ts';
import { runProofs } from '#repairer/calendar/run-proofs.ts';
import { nodeTimetable } from '#repairer/calendar/timetable.ts';
import { clickHouseCampaigns } from '#repairer/campaigns/clickhouse-campaigns.ts';
import { createCalendarMetrics, createCampaignMetrics } from '#repairer/campaigns/metrics.ts';
import type { CampaignHost } from '#repairer/campaigns/ports.ts';
import { CampaignWorker } from '#repairer/campaigns/worker.ts';
import type { RepairOrders } from '#repairer/options.ts';
import { fileHealthOf } from '#store/queries/health.ts';
import { filesToProve } from '#store/queries/proof-sample.ts';
import type { OpenLog, OpenStore } from '../connections.ts';
import { knownPlaces } from '../known-places.ts';

/** Over many million files a plan takes its time. */
const planTimeoutMs = 300_000;

export interface CampaignsOptions extends OpenLog, Pick<OpenStore, 'store' | 'writer'> {
  readonly config: Config;
  readonly mesh: Pick<MeshAccess, 'budget' | 'directory'>;
  readonly meter: Meter;
  readonly logger: Logger;
}

export interface RunningCampaigns {
  readonly orders: RepairOrders;
  stop(): Promise<void>;
}

export async function startCampaigns(options: CampaignsOptions): Promise<RunningCampaigns> {
  const { log, topics, config, mesh, meter, logger } = options;
  const followed = new FollowedTable({
    log,
    topic: topics.campaigns.name,
    create: () => new CampaignTable(),
    clock: systemClock,
    logger,
    onChange: () => mesh.budget.setRates(ratesOf({ bytes: config.repairer.bytesPerSecond }, followed.table.limits)),
  });
  await followed.start();
  const onOutcome = createCampaignMetrics(meter, followed);
  return {
    orders: {
      brakeWord: () => brakeWordOf(followed.table.limits, systemClock.nowMs()),
      isWindowOpen: () => isWindowOpen(windowsOf(followed.table.schedules()), systemClock.nowMs()),
      isLeaving: (peerId) =>
        followed.table
          .campaigns()
          .some(
            ({ state, definition }) => (state === 'running' || state === 'paused') && definition.leave.includes(peerId),
          ),
      campaigns: (host) => {
        const worker = new CampaignWorker({
          followed,
          host,
          store: clickHouseCampaigns(options.store, options.writer),
          partitions: topics.atRisk.partitions,
          lanes: config.campaigns.lanes,
          attempts: config.campaigns.attempts,
          retryAfterMs: config.campaigns.retryAfterMs,
          bytesPerSecond: () => mesh.budget.rates.bytes,
          repairer: `${hostname()}:${config.repairer.port}:${process.pid}`,
          logger,
          onOutcome,
        });
        const calendar = calendarOf(options, followed, host);
        return {
          start() {
            worker.start();
            calendar.start();
          },
          isWorkingOn: (storageIndex) => worker.isWorkingOn(storageIndex),
          revoked: () => worker.revoked(),
          async stop() {
            await Promise.all([worker.stop(), calendar.stop()]);
          },
        };
      },
    },
    stop: () => followed.stop(),
  };
}

function calendarOf(
  { log, topics, store, writer, config, mesh, meter, logger }: CampaignsOptions,
  followed: FollowedTable<CampaignTable>,
  host: CampaignHost,
): Calendar {
  const { transfer, peerView } = host.tools.mesh;
  const { clock, random, randomBytes, leaseSecret } = host.tools.runtime;
  const api = createApiClient(config.repairer.apiUrl, planTimeoutMs, apiSender(config.access));
  // Where a file's shares lie is not worth the time that a plan may take: without it, peers are asked.
  const placesApi = createApiClient(config.repairer.apiUrl, undefined, apiSender(config.access));
  const peers = () => mesh.directory.peers().map(({ peerId }) => peerId);
  const measure = createCalendarMetrics(meter);
  const owner = new OwnerWords({ log, topic: topics.shareEvents, clock, randomBytes });
  return new Calendar({
    followed,
    isOurTurn: () => host.ownedPartitions().includes(0),
    timetable: nodeTimetable,
    clock,
    logger,
    runners: {
      campaign: (schedule, { campaign }) =>
        runCampaign(
          { followed, plan: (definition) => api.planCampaign(definition), rules: config.campaigns, clock },
          schedule,
          campaign,
        ),
      proofs: ({ name }, { files }, signal) =>
        runProofs(
          {
            sample: async (count) =>
              (await filesToProve(store, count)).map(({ margin, ...manifest }) => ({ manifest, margin })),
            keep: (table, rows) => writer.enqueue(table, rows),
            transfer,
            peers,
            known: (storageIndex) => knownPlaces(storageIndex, placesApi),
            holdReason: () => host.holdReason('beside-repairs'),
            clock,
            random,
            logger,
            onProof: measure.proof,
          },
          name,
          files,
          signal,
        ),
      canary: async ({ name }, { withinMs }, signal) => {
        try {
          const outcome = await runCanary(
            {
              transfer,
              field: () => peerView.writable(),
              peers,
              keep: (table, rows) => writer.enqueue(table, rows),
              forget: (index) => owner.deleted(index),
              counted: async (index) => (await fileHealthOf(store, [index]))[0]?.counted ?? null,
              clock,
              random,
              randomBytes,
              leaseSecret,
            },
            name,
            withinMs,
            signal,
          );
          measure.canary('recovered');
          return outcome;
        } catch (error) {
          if (!signal.aborted) measure.canary('failed');
          throw error;
        }
      },
    },
  });
}
