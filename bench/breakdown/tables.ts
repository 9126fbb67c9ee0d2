/** A breakdown as tables: of a file's wall time, of what it waited for, and of processor time by process. Pure. */
import type { Breakdown } from '../case.ts';
import type { ProcessFigures } from './process-figures.ts';
import { subjects, subjectTitles } from './profile-subjects.ts';
import { type ThreadKind, threadKinds } from './thread-times.ts';
import { type FilesBreakdown, type WaitedFor, waits } from './waits.ts';

type Table = Breakdown[string];

const threadsTitle = 'codec and hashes of blocks, on threads of the addon';

const waitTitles: Readonly<Record<WaitedFor, string>> = {
  memory: 'our bound for memory',
  budget: 'our budget',
  'turn to ask': 'our order of requests: who has what',
  'peers asked': 'peers: who has what',
  'turn to read': 'our order of requests: reading',
  'peers read from': 'peers: reading',
  threads: threadsTitle,
  'turn to write': 'our order of requests: writing',
  'peers written to': 'peers: writing',
  'turn to read back': 'our order of requests: reading back',
  'peers read back from': 'peers: reading back',
  loop: 'nothing: its next step is ours',
};

const allWaits: readonly WaitedFor[] = [...waits, 'loop'];

const threadTitles: Readonly<Record<ThreadKind, string>> = {
  'event loop': 'event loop, all of it',
  addon: threadsTitle,
  libuv: 'threads of libuv (files)',
  v8: 'threads of V8 (garbage, compiling)',
  others: 'other threads (the profile)',
};

export interface WatchedRepair {
  readonly files: FilesBreakdown;
  readonly repairer: ProcessFigures;
  readonly peers: readonly ProcessFigures[];
}

export function breakdownTables({ files, repairer, peers }: WatchedRepair): Breakdown {
  return {
    'wall time of a file': wallTable(files, repairer),
    'what a file waited for': waitTable(files),
    'processor time, repairer': processorTable([repairer], files.fileCount),
    'processor time, peers': processorTable(peers, files.fileCount),
  };
}

/**
 * While our event loop was busy, with what; while it was idle, what the file waited for. Adds up to the file's time. What the loop was
 * busy for without taking processor time, it waited for a processor: that is known for the round, and divided alike over its subjects.
 */
function wallTable(files: FilesBreakdown, { threads }: ProcessFigures): Table {
  const running = files.loopUs === 0 ? 1 : Math.min(1, (threads['event loop'].cpuSeconds * 1e6) / files.loopUs);
  const busySubjects = subjects.filter((subject) => subject !== 'idle');
  const allBusyUs = busySubjects.reduce((sum, subject) => sum + files.busyUs[subject], 0);
  const busy = [
    ...busySubjects.map((subject) => [`busy, ${subjectTitles[subject]}`, files.busyUs[subject] * running] as const),
    ['busy, but no processor was free', allBusyUs * (1 - running)] as const,
  ];
  const idle = allWaits.map(
    (wait) => [`idle, ${waitTitles[wait]}`, files.waitedUs[wait] - files.loopBusyUs[wait]] as const,
  );
  return Object.fromEntries(
    [...busy, ...idle].map(([title, us]) => [
      title,
      { 'ms a file': us / 1e3 / files.fileCount, '% of its time': percent(us, files.fileUs) },
    ]),
  );
}

function waitTable(files: FilesBreakdown): Table {
  return Object.fromEntries(
    allWaits.map((wait) => [
      waitTitles[wait],
      {
        'ms a file': files.waitedUs[wait] / 1e3 / files.fileCount,
        '% of its time': percent(files.waitedUs[wait], files.fileUs),
        '% of that our loop busy': percent(files.loopBusyUs[wait], files.waitedUs[wait]),
        ...(wait !== 'loop' && { 'ms under way': files.underWayUs[wait] / 1e3 / files.fileCount }),
      },
    ]),
  );
}

/** The event loop's processor time is divided as its samples are. */
function processorTable(processes: readonly ProcessFigures[], fileCount: number): Table {
  const sum = (of: (figures: ProcessFigures) => number): number =>
    processes.reduce((total, each) => total + of(each), 0);
  const all = sum(({ threads }) => threadKinds.reduce((total, kind) => total + threads[kind].cpuSeconds, 0));
  const row = (cpuSeconds: number): Record<string, number> => ({
    'CPU ms a file': (cpuSeconds * 1e3) / fileCount,
    '% of all': percent(cpuSeconds, all),
  });
  const busy = subjects.filter((subject) => subject !== 'idle');
  const rows = busy.map((subject) => {
    const ofLoop = ({ samples, threads }: ProcessFigures): number => {
      const counted = busy.reduce((total, each) => total + samples[each], 0);
      return counted === 0 ? 0 : (threads['event loop'].cpuSeconds * samples[subject]) / counted;
    };
    return [`event loop: ${subjectTitles[subject]}`, row(sum(ofLoop))] as const;
  });
  const byThread = threadKinds.map((kind) => {
    const ready = sum(({ threads }) => threads[kind].readySeconds);
    const time = row(sum(({ threads }) => threads[kind].cpuSeconds));
    return [threadTitles[kind], { ...time, 'ms ready, no processor free': (ready * 1e3) / fileCount }] as const;
  });
  return Object.fromEntries([...rows, ...byThread]);
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole;
}
