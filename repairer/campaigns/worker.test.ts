import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FollowedTable } from '#log/followed-table.ts';
import type { Campaign } from '#mesh/campaigns/campaign.ts';
import type { CampaignProgress } from '#mesh/campaigns/progress.ts';
import { type KeyedRecord, readCampaigns } from '#mesh/campaigns/records.ts';
import { CampaignTable } from '#mesh/campaigns/table.ts';
import { sampleDefinition, samplePlan } from '#mesh/campaigns/testing/samples.ts';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import type { CampaignHost, CampaignStore } from './ports.ts';
import { CampaignWorker } from './worker.ts';

/** The owner of partition 0 keeps books besides. */
const partition = 1;
const heldBack = 'something more urgent waits';

let clock: ManualClock;
let campaign: Campaign;
let worker: CampaignWorker;
let pagesAsked: number;
let told: CampaignProgress[];

beforeEach(() => {
  clock = new ManualClock();
  pagesAsked = 0;
  told = [];
  campaign = campaignThatIs('running', 2);
  const table = Object.assign(new CampaignTable(), {
    campaigns: () => [campaign],
    progressOf: () => told.at(-1),
  });
  const store = {
    sums: () => Promise.resolve({ outcomes: [], sharesWritten: 0, bytesRead: 0, bytesWritten: 0 }),
    details: () => Promise.resolve({ files: [], placements: [] }),
    work() {
      pagesAsked++;
      return Promise.resolve([{ storageIndex: fileOf(1) }]);
    },
    enqueue: () => Promise.resolve(),
    flush: () => Promise.resolve(),
  } as unknown as CampaignStore;
  const host = {
    tools: { runtime: { clock } },
    fenceOf: () => ({ generation: 7 }),
    ownedPartitions: () => [partition],
    holdReason: () => heldBack,
    isRepairing: () => false,
  } as unknown as CampaignHost;
  worker = new CampaignWorker({
    followed: { isCurrent: true, table, append: keep } as unknown as FollowedTable<CampaignTable>,
    host,
    store,
    partitions: 2,
    lanes: 2,
    attempts: 1,
    retryAfterMs: 1000,
    bytesPerSecond: () => 0,
    repairer: 'r',
    logger: silentLogger,
    onOutcome: () => undefined,
  });
  worker.start();
});
afterEach(() => worker.stop());

function keep(records: readonly KeyedRecord[]): Promise<void> {
  for (const { value } of records) {
    const said = value === null ? null : readCampaigns(value);
    if (said?.kind === 'progress') told.push(said.progress);
  }
  return Promise.resolve();
}

function campaignThatIs(state: Campaign['state'], revision: number): Campaign {
  const start = { revision: 2, what: 'start', atMs: 0, operatorId: '', operatorName: '', why: '', planHash: '' };
  return {
    id: '0198c0de-0000-7000-8000-000000000001',
    name: 'lift',
    state,
    revision,
    definition: sampleDefinition(),
    plan: samplePlan(),
    planHash: '',
    createdAtMs: 0,
    steps: [start] as unknown as Campaign['steps'],
  };
}

test('what a campaign does is called off when it is paused, which is told; nothing is begun until it is resumed', async () => {
  await clock.advance(3000);
  expect(pagesAsked).toBe(1);
  expect(told.at(-1)).toMatchObject({ seenRevision: 2, waitsFor: heldBack });

  campaign = campaignThatIs('paused', 3);
  await clock.advance(1000);
  expect(told.at(-1)).toMatchObject({ seenRevision: 3, waitsFor: '', finished: false });
  await clock.advance(10_000);
  expect(pagesAsked).toBe(1);

  campaign = campaignThatIs('running', 4);
  await clock.advance(3000);
  expect(pagesAsked).toBe(2);
  expect(told.at(-1)).toMatchObject({ seenRevision: 4, waitsFor: heldBack });
});

test('a campaign that is cancelled is called off for good', async () => {
  await clock.advance(3000);
  campaign = campaignThatIs('cancelled', 3);
  await clock.advance(1000);
  expect(told.at(-1)).toMatchObject({ seenRevision: 3, waitsFor: '' });
  const { length } = told;
  await clock.advance(10_000);
  expect([pagesAsked, told.length]).toEqual([1, length]);
});
