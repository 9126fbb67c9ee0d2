/** The parts of a running agent, each made from those above it. Made anew at each start. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PeerEvent } from '#mesh/generated/events_pb.js';
import { AddressReport } from './address-report.ts';
import { BatchWriter } from './batch-writer.ts';
import { CollectorContact } from './collector-contact.ts';
import { defaultFollowerTiming, FolderFollower } from './folder-follower.ts';
import { FolderNotices } from './folder-notices.ts';
import type { FolderView } from './folder-view.ts';
import { InventoryTaker } from './inventory-taker.ts';
import { ManifestFeed } from './manifest-feed.ts';
import { type AgentMetrics, createAgentMetrics } from './metrics.ts';
import { Oddities } from './oddities.ts';
import type { AgentContext } from './options.ts';
import { Outbox } from './outbox.ts';
import { OwedInventory } from './owed-inventory.ts';
import { PeerLane } from './peer-lane.ts';
import { PeerPresence } from './peer-presence.ts';
import { PeerVoice } from './peer-voice.ts';
import { Reconciler } from './reconciler.ts';
import { Sender } from './sender.ts';
import { RatesInForce } from './settings.ts';
import { ShareServing } from './share-serving.ts';
import { manifestFlag, ShareTable } from './share-table.ts';
import { loadTable } from './share-table-file.ts';
import { Spool, type SpooledRecord } from './spool.ts';
import { spooledPosts } from './spooled-posts.ts';
import { TableKeeper } from './table-keeper.ts';
import { Timers } from './timers.ts';
import { Verifier } from './verifier.ts';
import { FolderWatcher } from './watch.ts';

export interface AgentParts {
  readonly folder: FolderView;
  readonly timers: Timers;
  readonly rates: RatesInForce;
  readonly metrics: AgentMetrics;
  readonly notices: FolderNotices;
  readonly owed: OwedInventory;
  readonly spool: Spool;
  readonly contact: CollectorContact;
  readonly shareSender: Sender<SpooledRecord>;
  readonly peerLane: PeerLane;
  readonly peerSender: Sender<PeerEvent>;
  readonly outbox: Outbox;
  readonly keeper: TableKeeper;
  readonly watcher: FolderWatcher;
  readonly verifier: Verifier;
  readonly serving: ShareServing;
  readonly voice: PeerVoice;
  readonly inventories: InventoryTaker;
  readonly feed: ManifestFeed;
  readonly presence: PeerPresence;
  readonly follower: FolderFollower;
}

const tableFileName = 'shares.table';
const batchesFolderName = 'batches';

export async function makeParts(context: AgentContext): Promise<AgentParts> {
  const { config, identity, collector, clock, random, log, timing, system } = context;
  const { state, root } = context.own;
  const { peerId } = identity;
  const { incarnation } = state;

  const tablePath = join(state.directory, tableFileName);
  const table = (await loadTable(tablePath)) ?? new ShareTable();
  const oddities = new Oddities();
  const folder = { root, table, oddities };
  const timers = new Timers(clock, random);
  const rates = new RatesInForce(config, collector, log);
  const metrics = createAgentMetrics(peerId, system.meter);
  const notices = new FolderNotices();

  const owed = new OwedInventory(clock, () => notices.inventory());
  /** Manifests among what was lost must be told again; the rest only an inventory makes good. */
  const lost = (needsInventory: boolean): void => {
    table.clearFlag(manifestFlag);
    if (needsInventory) owed.owe();
  };
  const batchesFolder = join(state.directory, batchesFolderName);
  // They were counted below what the mesh has heard: nobody would take them, and the first inventory says it all again.
  if (context.own.hasLostCount) await rm(batchesFolder, { recursive: true, force: true });
  const spool = await Spool.open({
    directory: batchesFolder,
    maxBytes: config.spoolMaxBytes,
    clock,
    log,
    onDropped: (reason, needsInventory) => {
      log.warn({ reason }, 'batches were dropped from the spool');
      lost(needsInventory);
    },
  });

  const contact = new CollectorContact({ metrics, owed, log, onOutdated: context.onOutdated });
  const sending = {
    collector,
    clock,
    random,
    log,
    onAnswer: contact.answered,
    ...(timing?.sender === undefined ? {} : { limits: timing.sender }),
  };
  const shareSender = new Sender({ ...sending, lane: spooledPosts(spool) });
  const peerLane = new PeerLane({ peerId, incarnation, clock, log });
  const peerSender = new Sender({ ...sending, lane: peerLane });
  const batches = new BatchWriter({ peerId, incarnation, spool, sender: shareSender, clock });
  const outbox = new Outbox({
    batches,
    clock,
    log,
    ...(timing?.gatherMs === undefined ? {} : { gatherMs: timing.gatherMs }),
    ...(timing?.laterMs === undefined ? {} : { laterMs: timing.laterMs }),
    onEvent: (change) => metrics.event(change),
    onOverflow: () => lost(true),
  });

  const keeper = new TableKeeper({ path: tablePath, table, timers, log });
  const watcher = new FolderWatcher({ path: root.path, budget: system.watchBudget, notices });
  const verifier = new Verifier({
    table,
    root,
    check: system.checkShare,
    sink: outbox,
    notices,
    keeper,
    clock,
    log,
    pace: { bytesPerSecond: config.verifyBytesPerSecond, roundMs: timing?.verifyRoundMs ?? 3_600_000 },
  });
  const serving = new ShareServing(context, notices, verifier);
  const reconciler = new Reconciler({
    ...folder,
    sink: outbox,
    log,
    watcher,
    notices,
    verifier,
    onRemoved: (key, shareNumber) => serving.removed(key, shareNumber),
  });

  const facts = { table, verifier, spool, serving };
  const voice = new PeerVoice({ agent: context, lane: peerLane, sender: peerSender, timers, rates, facts });
  const inventories = new InventoryTaker({ agent: context, folder, reconciler, outbox, batches, owed, metrics });
  const feed = new ManifestFeed({ table, root, sink: outbox, clock, log });
  const senders = [shareSender, peerSender];
  const address = new AddressReport(context, timers);
  const presence = new PeerPresence({
    agent: context,
    voice,
    verifier,
    senders,
    serving,
    address,
    inventories,
    keeper,
    feed,
  });
  const follower = new FolderFollower({
    folder,
    reconciler,
    watcher,
    notices,
    clock,
    log,
    timing: { ...defaultFollowerTiming, ...timing?.follower },
    sequel: presence,
  });

  return {
    folder,
    timers,
    rates,
    metrics,
    notices,
    owed,
    spool,
    contact,
    shareSender,
    peerLane,
    peerSender,
    outbox,
    keeper,
    watcher,
    verifier,
    serving,
    voice,
    inventories,
    feed,
    presence,
    follower,
  };
}
