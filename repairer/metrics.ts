/** The repairer's figures. Every series is there from the start with zero, so that an alert can be written on it. */
import type { Meter } from '@opentelemetry/api';
import { type SampleOutcome, sampleOutcomes } from './probes/samples.ts';
import { type RepairClass, repairClasses } from './queue/risk.ts';
import { type RepairReport, repairEndings } from './repair/repair-report.ts';

export interface RepairerMetrics {
  ended(report: RepairReport, repairClass: RepairClass): void;
  /** The analyzer saw a repair: how long after its end. */
  confirmed(seconds: number): void;
  /** A repair was not seen by the analyzer in time. */
  unconfirmed(): void;
  /** Files that failed and need not rest on, since something came that could help. */
  woken(files: number): void;
  /** A file that the analyzer lists was found well enough, and nothing had changed that explains it. */
  disagreed(): void;
  /** A share that a peer says to hold was drawn at random and read. */
  sampled(outcome: SampleOutcome): void;
  /** A record or a row that could not be used or kept. */
  fault(kind: FaultKind): void;
}

export const faultKinds = ['unusable-record', 'audit-row', 'entry-read'] as const;

export type FaultKind = (typeof faultKinds)[number];

/** What stands for an age without end: there never was a tick. */
const longestAgeSeconds = 1e9;

/** Read when the figures are. */
export interface ObservedRepairs {
  queued(): Readonly<Record<RepairClass, number>>;
  running(): number;
  leftOutPartitions(): number;
  brakeHeld(): boolean;
  peersAgeMs(): number;
  /** Memory that shares on their way to peers have. */
  uploadBytes(): number;
}

export function createRepairerMetrics(meter: Meter, observed: ObservedRepairs): RepairerMetrics {
  const repairs = meter.createCounter('meshward_repairer_repairs', { description: 'Repairs that ended, by how.' });
  const shares = meter.createCounter('meshward_repairer_shares', {
    description: 'Shares written and checked, found again, or found corrupt.',
  });
  const bytes = meter.createCounter('meshward_repairer_bytes', {
    description: 'Share data that repairs moved.',
    unit: 'By',
  });
  const faults = meter.createCounter('meshward_repairer_faults', {
    description: 'What could not be used or kept, by kind.',
  });
  const unconfirmed = meter.createCounter('meshward_repairer_unconfirmed', {
    description: 'Repairs that the analyzer did not see in time.',
  });
  const woken = meter.createCounter('meshward_repairer_woken', {
    description: 'Files whose repair had failed that were taken up again because something came that could help.',
  });
  const disagreements = meter.createCounter('meshward_repairer_disagreements', {
    description: 'Files that an analyzer lists for repair and this repairer found well enough.',
  });
  const samples = meter.createCounter('meshward_repairer_samples', {
    description: 'Shares that peers say to hold, drawn at random and read, by what came of it.',
  });
  const seconds = meter.createHistogram('meshward_repairer_repair_seconds', {
    description: 'How long repairs took.',
    advice: { explicitBucketBoundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800] },
  });
  const confirmSeconds = meter.createHistogram('meshward_repairer_confirm_seconds', {
    description: 'From the end of a repair until the analyzer took the file off its list.',
    advice: { explicitBucketBoundaries: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300] },
  });
  meter
    .createObservableGauge('meshward_repairer_files', { description: 'Files that need repair, by class.' })
    .addCallback((result) => {
      const queued = observed.queued();
      for (const repairClass of repairClasses) result.observe(queued[repairClass], { class: repairClass });
    });
  meter
    .createObservableGauge('meshward_repairer_running', { description: 'Repairs under way.' })
    .addCallback((result) => result.observe(observed.running()));
  meter
    .createObservableGauge('meshward_repairer_left_out_partitions', {
      description: 'Partitions with files that did not fit in memory.',
    })
    .addCallback((result) => result.observe(observed.leftOutPartitions()));
  meter
    .createObservableGauge('meshward_repairer_brake', { description: '1 while bulk repair holds.' })
    .addCallback((result) => result.observe(observed.brakeHeld() ? 1 : 0));

  meter
    .createObservableGauge('meshward_repairer_upload_memory_bytes', {
      description:
        'Memory of shares that repairs hold whole, as sources and until their new peer has them; repairs beyond the limit wait.',
      unit: 'By',
    })
    .addCallback((result) => result.observe(observed.uploadBytes()));

  meter
    .createObservableGauge('meshward_repairer_peers_age_seconds', {
      description: 'How old what is held of the peers is: how long the log has had no tick.',
    })
    .addCallback((result) => result.observe(Math.min(observed.peersAgeMs() / 1000, longestAgeSeconds)));

  for (const ending of repairEndings)
    for (const repairClass of repairClasses) repairs.add(0, { ending, class: repairClass });
  for (const outcome of ['written', 'found', 'corrupt']) shares.add(0, { outcome });
  for (const direction of ['read', 'written']) bytes.add(0, { direction });
  for (const kind of faultKinds) faults.add(0, { kind });
  unconfirmed.add(0);
  woken.add(0);
  disagreements.add(0);
  for (const outcome of sampleOutcomes) samples.add(0, { outcome });

  return {
    ended(report, repairClass) {
      repairs.add(1, { ending: report.ending, class: repairClass });
      shares.add(report.written.length, { outcome: 'written' });
      shares.add(report.found.length, { outcome: 'found' });
      shares.add(report.corrupt.length, { outcome: 'corrupt' });
      bytes.add(report.bytesRead, { direction: 'read' });
      bytes.add(report.bytesWritten, { direction: 'written' });
      seconds.record(report.durationMs / 1000, { ending: report.ending });
    },
    confirmed: (after) => confirmSeconds.record(after),
    unconfirmed: () => unconfirmed.add(1),
    woken: (files) => woken.add(files),
    sampled: (outcome) => samples.add(1, { outcome }),
    disagreed: () => disagreements.add(1),
    fault: (kind) => faults.add(1, { kind }),
  };
}
