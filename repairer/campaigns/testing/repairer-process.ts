/** A repairer with campaigns as a process of its own, which tests kill at any moment. */
import { randomBytes } from 'node:crypto';
import { createEmbeddedLog } from '#log/embedded-log.ts';
import { FollowedTable } from '#log/followed-table.ts';
import { CampaignTable } from '#mesh/campaigns/table.ts';
import { systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { silentLogger } from '#mesh/logger.ts';
import { allTopics } from '#mesh/topics.ts';
import { openMeshAccess } from '#peers/mesh-access.ts';
import { createPeerView } from '#peers/peer-view.ts';
import { connectStore } from '#store/client.ts';
import { createStoreWriter } from '#store/writer.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { createRepairer } from '../../service.ts';
import { noMeter, noTracer } from '../../testing/fake-mesh.ts';
import { clickHouseCampaigns } from '../clickhouse-campaigns.ts';
import { CampaignWorker } from '../worker.ts';
import { type ChildSetup, partitions } from './real-mesh.ts';

const setup = JSON.parse(process.argv[2] as string) as ChildSetup;
const { topics, bytesPerSecond, tuning } = setup;
const log = await createEmbeddedLog({
  directory: setup.logDirectory,
  topics: allTopics(topics),
  clock: systemClock,
  sessionTimeoutMs: 1000,
  lockTimeoutMs: 2000,
});
const { url, ...login } = setup.store;
const store = connectStore({ urls: [url], ...login });
const writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
const peerView = createPeerView({ facts: () => setup.facts, ageMs: () => 0 }, 1000);
const mesh = await openMeshAccess({
  log,
  topics: {
    enrolments: topics.enrolments.name,
    shareEvents: topics.shareEvents.name,
    peerEvents: topics.peerEvents.name,
  },
  storageClient: createStorageClient({
    limits: { connectTimeoutMs: tuning.requestTimeoutMs, requestTimeoutMs: tuning.requestTimeoutMs },
  }),
  peerView,
  clock: systemClock,
  rates: { bytesPerSecond },
});
const followed = new FollowedTable({
  log,
  topic: topics.campaigns.name,
  create: () => new CampaignTable(),
  clock: systemClock,
  logger: silentLogger,
});
await followed.start();
const repairer = await createRepairer({
  list: { log, topic: topics.atRisk.name },
  config: loadConfig().config.repairer,
  policies: [],
  mesh,
  store: {
    writer,
    drains: { find: () => Promise.resolve({ files: [], sharesLeft: 0 }) },
    samples: { draw: () => Promise.resolve([]), isClaimed: () => Promise.resolve(true) },
  },
  runtime: {
    clock: systemClock,
    random: Math.random,
    randomBytes: (count) => new Uint8Array(randomBytes(count)),
    leaseSecret: new Uint8Array(32).fill(1),
  },
  telemetry: { meter: noMeter, tracer: noTracer, logger: silentLogger },
  tuning: { settings: { readBackRatio: tuning.readBackRatio } },
  orders: {
    brakeWord: () => null,
    isWindowOpen: () => true,
    isLeaving: () => false,
    campaigns: (host) =>
      new CampaignWorker({
        followed,
        host,
        store: clickHouseCampaigns(store, writer),
        partitions,
        lanes: 2,
        attempts: 2,
        retryAfterMs: 100,
        bytesPerSecond: () => bytesPerSecond,
        repairer: String(process.pid),
        logger: silentLogger,
        onOutcome: () => undefined,
      }),
  },
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
await repairer.ended;
