/** The repairer as a process of its own: what one repair is made of, and as many of them at once as it is told. */
import { randomBytes, randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { createBudget } from '#peers/budget.ts';
import { gbsPeerStorage } from '#peers/gbs-storage.ts';
import { createPeerContact } from '#peers/peer-contact.ts';
import type { PeerStorage } from '#peers/peer-storage.ts';
import { createPeerView } from '#peers/peer-view.ts';
import { createTransfer, defaultTransferLimits } from '#peers/transfer.ts';
import { startRepair } from '#repairer/repair/repair.ts';
import { defaultRepairSettings, type RepairTools } from '#repairer/repair/tools.ts';
import { UploadBuffers, uploadWindows } from '#repairer/repair/upload-buffers.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { parseNurl } from '#tahoe/identity/nurl.ts';
import { answerParent, ownCpuSeconds } from '../load/child.ts';
import { type Parts, profileSelf } from './own-profile.ts';
import type { BatchFigures, FileToRepair, ProfileFigures, RepairBatch, StartRepairer } from './protocol.ts';
import { RequestMeter } from './request-meter.ts';

const client = createStorageClient();
const meter = new RequestMeter();
let tools: RepairTools | undefined;
let endProfile: (() => Promise<Parts>) | undefined;
let cpuBefore = 0;

function toolsFor(nurls: readonly string[]): RepairTools {
  const storages = new Map<PeerId, PeerStorage>();
  const peers = nurls.map((text, at) => {
    const nurl = parseNurl(text);
    storages.set(nurl.peerId, meter.around(gbsPeerStorage(client.peer(nurl))));
    return { peerId: nurl.peerId, name: `peer-${at}`, domains: { zone: `z${at % 12}` }, revoked: false };
  });
  const facts = peers.map(({ peerId, domains }) => ({ peerId, domains, state: 'up' as const, freeBytes: 1e13 }));
  const domainsOf = new Map(peers.map(({ peerId, domains }) => [peerId, domains]));
  const contact = createPeerContact({ clock: systemClock });
  return {
    mesh: {
      contact,
      transfer: createTransfer({
        storageOf: (peerId) => storages.get(peerId),
        domainsOf: (peerId) => domainsOf.get(peerId) ?? {},
        budget: createBudget({ bytesPerSecond: 0 }, systemClock),
        contact,
        limits: defaultTransferLimits,
      }),
      peerView: createPeerView({ facts: () => facts, ageMs: () => 0 }, 15_000),
      directory: { peer: (peerId) => peers.find((peer) => peer.peerId === peerId), peers: () => peers },
    },
    policies: [],
    runtime: {
      clock: systemClock,
      random: Math.random,
      randomBytes: (count) => new Uint8Array(randomBytes(count)),
      leaseSecret: new Uint8Array(32).fill(1),
    },
    settings: defaultRepairSettings,
    uploadBuffers: new UploadBuffers(uploadWindows * defaultRepairSettings.windowBytes),
  };
}

async function repairOne({ manifest, placements, maxSharesPerPeer }: FileToRepair, with_: RepairTools) {
  const available = placements.length;
  const policy = defaultPolicy(manifest);
  const entry = {
    manifest,
    placements,
    tag: '',
    grade: 'at-risk' as const,
    available,
    retained: available,
    counted: available,
    margin: available - manifest.k,
    cause: 'bench',
    sinceMs: 0,
    updatedAtMs: systemClock.nowMs(),
    risk: 1,
    repairUpTo: manifest.n,
    maxSharesPerPeer,
    maxSharesPerDomain: policy.maxSharesPerDomain * manifest.n,
    revision: 1,
    ownerGeneration: 1,
  };
  const fence = { scope: 'bench/0', generation: 1 };
  const { signal } = new AbortController();
  return startRepair({ id: randomUUID(), entry, fence, urgent: false, placed: [], look: 'doubtful', signal }, with_)
    .report;
}

answerParent({
  start({ nurls }: StartRepairer): void {
    tools = toolsFor(nurls);
  },
  async repair({ files, atOnce }: RepairBatch): Promise<BatchFigures> {
    const { queuedSeconds, waitedSeconds } = meter;
    const delay = monitorEventLoopDelay({ resolution: 2 });
    delay.enable();
    const beganMs = performance.now();
    const moved = { sharesWritten: 0, bytesRead: 0, bytesWritten: 0 };
    const fileSeconds: number[] = [];
    const failures: string[] = [];
    const waiting = [...files];
    const lane = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        const report = await repairOne(file, tools as RepairTools);
        fileSeconds.push(report.durationMs / 1000);
        moved.sharesWritten += report.written.length;
        moved.bytesRead += report.bytesRead;
        moved.bytesWritten += report.bytesWritten;
        if (report.ending !== 'repaired') failures.push(`${report.ending}: ${report.errorMessage}`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    const seconds = (performance.now() - beganMs) / 1000;
    delay.disable();
    return {
      seconds,
      fileSeconds,
      ...moved,
      roundTrips: meter.takeRoundTrips() / files.length,
      stallMs: delay.max / 1e6,
      queuedSeconds: meter.queuedSeconds - queuedSeconds,
      waitedSeconds: meter.waitedSeconds - waitedSeconds,
      peakMiB: process.resourceUsage().maxRSS / 1024,
      failures,
    };
  },
  async profile(path: string): Promise<void> {
    cpuBefore = ownCpuSeconds();
    endProfile = await profileSelf(path);
  },
  async profiled(): Promise<ProfileFigures> {
    const cpuSeconds = ownCpuSeconds() - cpuBefore;
    return { parts: (await endProfile?.()) as Parts, cpuSeconds };
  },
  end: () => client.close(),
});
