/**
 * A mesh at rest as the collector sees it: peers that beat, ask for their settings, verify their shares and take inventories at the
 * rates of real agents, each over one kept connection of mutual TLS. Nothing else happens.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { InventoryPhase, ShareBatchSchema, ShareEventKind } from '#mesh/generated/events_pb.js';
import { maxEventsPerBatch, maxManifestsPerBatch } from '#mesh/limits.ts';
import { ActedPeer } from './acted-peer.ts';
import type { BatchColumns } from './batches.ts';
import { answerParent } from './child.ts';
import { encodeManifests } from './encode-manifests.ts';
import type { TextIdentity } from './identities.ts';
import { type HeldShare, type MeshLayout, sharesHeldBy, storageIndexOf } from './mesh-layout.ts';

export interface IdleLoadStart {
  readonly port: number;
  readonly identities: readonly TextIdentity[];
  readonly layout: MeshLayout;
}

export interface IdleRates {
  readonly heartbeatMs: number;
  readonly settingsMs: number;
  readonly inventoryMs: number;
  /** A share is verified once in this time … */
  readonly roundMs: number;
  /** … at this rate while a peer is at it, 0 never; and what was verified is told after this time, together. */
  readonly verifiedPerSecond: number;
  readonly gatherMs: number;
}

export interface IdleFigures {
  /** Milliseconds from a heartbeat to its acknowledgement. */
  readonly heartbeatMs: readonly number[];
  readonly batches: number;
  readonly events: number;
  readonly putOff: number;
  /** Of posts; none may fail. */
  readonly failures: readonly string[];
}

interface Resting {
  readonly peer: ActedPeer;
  readonly shares: readonly HeldShare[];
  verified: number;
  generation: number;
  isVerifying: boolean;
}

/** Connections and first posts under way at once. */
const atOnce = 64;
const lookMs = 200;

let layout: MeshLayout = { files: 0, k: 1, n: 1, peers: 1 };
let resting: Resting[] = [];
let heartbeatMs: number[] = [];
let batches = 0;
let events = 0;
let failures: string[] = [];

answerParent({
  async start({ port, identities, layout: of }: IdleLoadStart): Promise<void> {
    layout = of;
    const found: (Resting | undefined)[] = identities.map(() => undefined);
    await inLanes(identities, async (identity, number) => {
      const peer = await ActedPeer.connect(identity, port);
      await peer.announce();
      const shares = [...sharesHeldBy(layout, number)];
      found[number] = { peer, shares, verified: 0, generation: 0, isVerifying: false };
    });
    resting = found.filter((each) => each !== undefined);
  },
  /** Every file and every share, told once. */
  async fill(): Promise<void> {
    await inLanes(resting, async ({ peer, shares }) => {
      const files = shares.filter(({ shareNumber }) => shareNumber === 0).map(({ file }) => file);
      for (let at = 0; at < files.length; at += maxManifestsPerBatch)
        await peer.send(manifestsOf(files.slice(at, at + maxManifestsPerBatch)));
    });
    await inLanes(resting, async ({ peer, shares }) => {
      for (let at = 0; at < shares.length; at += maxEventsPerBatch)
        await peer.send(columnsOf(shares.slice(at, at + maxEventsPerBatch), ShareEventKind.STORED));
    });
  },
  rest(rates: IdleRates): void {
    for (const each of resting) {
      every(rates.heartbeatMs, async () => {
        heartbeatMs.push(await each.peer.heartbeat(rates.heartbeatMs, each.shares.length));
      });
      every(rates.settingsMs, () => each.peer.askSettings());
      every(rates.inventoryMs, () => takeInventory(each));
    }
    if (rates.verifiedPerSecond > 0) verify(rates);
  },
  /** Since they were asked for last. */
  figures(): IdleFigures {
    const told = { heartbeatMs, batches, events, putOff: ActedPeer.putOff, failures };
    [heartbeatMs, batches, events, failures] = [[], 0, 0, []];
    ActedPeer.putOff = 0;
    return told;
  },
  end(): void {
    for (const { peer } of resting) peer.close();
  },
});

/** From a random moment of the first interval on. */
function every(intervalMs: number, act: () => Promise<unknown>): void {
  const run = (): void => void act().catch(failed);
  setTimeout(() => {
    run();
    setInterval(run, intervalMs);
  }, Math.random() * intervalMs);
}

function failed(error: unknown): void {
  if (failures.length < 10) failures.push(String(error));
}

/** At any time as many peers are at it as would be in a mesh whose rounds began at times of their own. */
function verify(rates: IdleRates): void {
  const beganMs = performance.now();
  const phases = resting.map((each) => ({ each, phaseMs: Math.random() * rates.roundMs }));
  const look = (): void => {
    for (const { each, phaseMs } of phases) {
      const atMs = (phaseMs + performance.now() - beganMs) % rates.roundMs;
      const isDue = atMs < (each.shares.length / rates.verifiedPerSecond) * 1000;
      if (isDue && !each.isVerifying) {
        each.isVerifying = true;
        keepVerifying(each, rates);
      } else if (!isDue) each.isVerifying = false;
    }
  };
  setInterval(look, lookMs);
}

function keepVerifying(each: Resting, rates: IdleRates): void {
  const intervalMs = Math.max(rates.gatherMs, 1000 / rates.verifiedPerSecond);
  const perPost = Math.max(1, Math.round((intervalMs * rates.verifiedPerSecond) / 1000));
  const tell = (): void => {
    if (!each.isVerifying) return;
    const shares: HeldShare[] = [];
    for (let i = 0; i < perPost; i++) shares.push(each.shares[each.verified++ % each.shares.length] as HeldShare);
    post(each.peer, columnsOf(shares, ShareEventKind.VERIFIED)).catch(failed);
    setTimeout(tell, intervalMs);
  };
  setTimeout(tell, Math.random() * intervalMs);
}

/** The first part begins it and holds everything, the last one ends it: an agent sends two at least. */
async function takeInventory(each: Resting): Promise<void> {
  const generation = ++each.generation;
  const mark = (phase: InventoryPhase): Uint8Array =>
    toBinary(ShareBatchSchema, create(ShareBatchSchema, { inventory: { phase, generation } }));
  const { eventCount, encoded } = columnsOf(each.shares.slice(0, maxEventsPerBatch), ShareEventKind.STORED);
  await post(each.peer, { eventCount, encoded: Buffer.concat([encoded, mark(InventoryPhase.BEGIN)]) });
  const rest = columnsOf(each.shares.slice(maxEventsPerBatch), ShareEventKind.STORED);
  await post(each.peer, { ...rest, encoded: Buffer.concat([rest.encoded, mark(InventoryPhase.END)]) });
}

async function post(peer: ActedPeer, columns: BatchColumns): Promise<void> {
  await peer.send(columns);
  batches++;
  events += columns.eventCount;
}

async function inLanes<T>(all: readonly T[], act: (one: T, number: number) => Promise<void>): Promise<void> {
  const waiting = all.entries();
  const lane = async (): Promise<void> => {
    for (const [number, one] of waiting) await act(one, number);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

function columnsOf(shares: readonly HeldShare[], kind: ShareEventKind): BatchColumns {
  const storageIndexes = new Uint8Array(16 * shares.length);
  shares.forEach(({ file }, i) => {
    storageIndexes.set(storageIndexOf(file), 16 * i);
  });
  const batch = create(ShareBatchSchema, {
    storageIndexes,
    shareNumbers: Uint8Array.from(shares, ({ shareNumber }) => shareNumber),
    kinds: new Uint8Array(shares.length).fill(kind),
  });
  return { eventCount: shares.length, encoded: toBinary(ShareBatchSchema, batch) };
}

function manifestsOf(files: readonly number[]): BatchColumns {
  return { eventCount: 0, encoded: encodeManifests(layout, files) };
}
