/** The repairer as a process of its own: what one repair is made of, and as many of them at once as it is told. */
import { randomBytes, randomUUID } from 'node:crypto';
import { systemClock } from '#mesh/clock.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { type RunningRepair, startRepair } from '#repairer/repair/repair.ts';
import type { RepairReport } from '#repairer/repair/repair-report.ts';
import { defaultRepairSettings, type RepairTools } from '#repairer/repair/tools.ts';
import { uploadWindows } from '#repairer/repair/upload-buffers.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { FileTimesRecorder } from '../breakdown/file-times.ts';
import { type Watched, watchSelf } from '../breakdown/process-figures.ts';
import { subjectSlices } from '../breakdown/profile-subjects.ts';
import { breakDown } from '../breakdown/waits.ts';
import { answerParent } from '../load/child.ts';
import { measuredWork, profileAnswers } from './measured-work.ts';
import { meshOfPeers, unlimitedBudget } from './mesh-of-peers.ts';
import type { BatchFigures, FileToRepair, RepairBatch, StartRepairer, WatchedFiles } from './protocol.ts';
import { RequestMeter } from './request-meter.ts';

const client = createStorageClient();
const times = new FileTimesRecorder();
const meter = new RequestMeter(times);
let tools: RepairTools | undefined;
/** While files are followed. */
let endWatch: (() => Promise<Watched>) | undefined;
let ignoreJobs: () => void = () => undefined;

function toolsFor(nurls: readonly string[]): RepairTools {
  return {
    mesh: meshOfPeers(nurls, client, meter, times.around(unlimitedBudget())),
    policies: [],
    runtime: {
      clock: systemClock,
      random: Math.random,
      randomBytes: (count) => new Uint8Array(randomBytes(count)),
      leaseSecret: new Uint8Array(32).fill(1),
    },
    settings: defaultRepairSettings,
    uploadBuffers: times.buffers(uploadWindows * defaultRepairSettings.windowBytes),
  };
}

function startOne({ manifest, placements, maxSharesPerPeer }: FileToRepair, with_: RepairTools): RunningRepair {
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
  return startRepair({ id: randomUUID(), entry, fence, urgent: false, placed: [], look: 'doubtful', signal }, with_);
}

function repairOne(file: FileToRepair, with_: RepairTools): Promise<RepairReport> {
  if (endWatch === undefined) return startOne(file, with_).report;
  let repair: RunningRepair | undefined;
  const isReadingBack = (): boolean => repair?.progress().phase === 'verifying';
  return times.follow(file.manifest.storageIndex, isReadingBack, () => {
    repair = startOne(file, with_);
    return repair.report;
  });
}

answerParent({
  start({ nurls }: StartRepairer): void {
    tools = toolsFor(nurls);
  },
  async repair({ files, atOnce }: RepairBatch): Promise<BatchFigures> {
    const { results, figures } = await measuredWork(files, atOnce, meter, (file) =>
      repairOne(file, tools as RepairTools),
    );
    const sum = (of: (report: RepairReport) => number): number =>
      results.reduce((total, report) => total + of(report), 0);
    return {
      ...figures,
      sharesWritten: sum((report) => report.written.length),
      bytesRead: sum((report) => report.bytesRead),
      bytesWritten: sum((report) => report.bytesWritten),
      failures: results
        .filter((report) => report.ending !== 'repaired')
        .map(({ ending, errorMessage }) => `${ending}: ${errorMessage}`),
    };
  },
  async watch(): Promise<void> {
    ignoreJobs = times.followJobs();
    endWatch = await watchSelf();
  },
  async watched(): Promise<WatchedFiles> {
    if (endWatch === undefined) throw new Error('nothing is watched');
    const { profile, figures } = await endWatch();
    endWatch = undefined;
    ignoreJobs();
    return { files: breakDown(times.take(), subjectSlices(profile)), figures };
  },
  ...profileAnswers(),
  end: () => client.close(),
});
