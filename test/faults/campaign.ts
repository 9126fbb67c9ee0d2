/**
 * A mesh on a log, ClickHouse and several analyzers under full load, and faults upon it. After each fault the load
 * falls quiet, and everything that analyzers, ClickHouse and the at-risk topic say must be what the oracle computed.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '#mesh/clock.ts';
import { topicsOf } from '#mesh/topics.ts';
import { connectStore } from '#store/client.ts';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { AnalyzerProcesses } from './analyzer-processes.ts';
import { allDifferences, type Compared, firstDifferences } from './comparison.ts';
import { type Fault, type FaultScene, inSync } from './faults.ts';
import { MeshLoad } from './mesh-load.ts';
import { Patience } from './patience.ts';
import { embeddedStage, kafkaStage } from './stage.ts';
import { StoreGate } from './store-gate.ts';

export interface CampaignOptions {
  readonly seed: number;
  readonly log: 'kafka' | 'embedded';
  /** The faults in their order; ends when there is none any more. */
  readonly faults: Iterable<Fault>;
  readonly files?: number;
  readonly peers?: number;
  readonly analyzers?: number;
  /** Rest of a peer between two batches. @default hardly any: as fast as the log takes it */
  readonly restMs?: number;
  /** Whose analyzers are put to the test. @default these ones, of which nothing is known */
  readonly subject?: Subject;
  readonly say: (line: string) => void;
}

export interface Subject {
  /** Root of the sources. */
  readonly folder: string;
  /** Of an earlier run on this machine; null where there was none. */
  readonly slowestAgreementMs: number | null;
}

export interface CampaignReport {
  readonly faults: number;
  readonly acknowledgedBatches: number;
  readonly acknowledgedEvents: number;
  readonly repeatedAppends: number;
  /** Batches that came again though newer ones had come. */
  readonly lateBatches: number;
  /** Longest time from the end of the load to full agreement. */
  readonly slowestAgreementMs: number;
}

const sessionTimeoutMs = 6000;
const loadBeforeMs = 1500;
const lookMs = 500;
const shownDifferences = 20;
/** More differences than any part of the comparison finds. */
const mostOfPart = 1_000_000;
const partitions = 6;
const here = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** What was said differs from what the oracle computed, and stays so. */
export class DisagreementError extends Error {
  /** The fault after which there was no agreement. */
  readonly after: string;

  constructor(after: string, details: string) {
    super(`no agreement after ${after} ${details}`);
    this.after = after;
  }
}

/** @throws DisagreementError with the differences that stay. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { seed, say, subject = { folder: here, slowestAgreementMs: null } } = options;
  const random = seededRandom(seed);
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'meshward-faults-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const clickhouse = await startEmbeddedClickHouse({ directory: join(directory, 'clickhouse') });
  stack.defer(() => clickhouse.stop());
  const gate = await StoreGate.start(clickhouse.url);
  stack.defer(() => gate.close());
  const topics = topicsOf({
    prefix: 'faults.',
    shareEventsPartitions: partitions,
    peerEventsPartitions: 1,
    retentionMs: 0,
    retentionBytes: 0,
  });
  const stage =
    options.log === 'kafka'
      ? await kafkaStage(topics, sessionTimeoutMs)
      : await embeddedStage(directory, topics, sessionTimeoutMs);
  stack.use(stage);
  const { log, cluster } = stage;
  const store = connectStore({ urls: [clickhouse.url], username: clickhouse.username, password: clickhouse.password });
  stack.defer(() => store.close());
  const analyzers = new AnalyzerProcesses(subject.folder, [
    '--data-dir',
    join(directory, 'analyzers'),
    ...settingsOf({
      ...stage.settings,
      'log.topicPrefix': 'faults.',
      'log.shareEventsPartitions': topics.shareEvents.partitions,
      'log.peerEventsPartitions': topics.peerEvents.partitions,
      'log.retentionMs': 1_000_000_000_000,
      'log.sessionTimeoutMs': sessionTimeoutMs,
      'clickhouse.mode': 'external',
      'clickhouse.urls': [gate.url],
      'clickhouse.username': clickhouse.username,
      'clickhouse.passwordFile': join(directory, 'clickhouse', 'password'),
      'analyzer.settleMs': 1,
      'analyzer.sweepIntervalMs': 1000,
      'analyzer.flushIntervalMs': 250,
      'analyzer.restFlushIntervalMs': 250,
      'agent.heartbeatMs': 2000,
      'analyzer.graceMs': 600_000,
      'api.port': 0,
    }),
  ]);
  stack.use(analyzers);
  for (let number = 0; number < (options.analyzers ?? 2); number++) analyzers.start(number);
  const load = new MeshLoad({
    log,
    topics,
    random,
    files: options.files ?? 300,
    peers: options.peers ?? 20,
    eventsPerBatch: 50,
    restMs: options.restMs ?? 20,
  });
  stack.defer(() => load.end());
  say(`seed ${seed}: ${options.log} log, ${analyzers.running.length} analyzers, ${load.files.length} files`);
  await load.begin();

  const patience = new Patience(() => performance.now(), subject.slowestAgreementMs);
  let count = 0;
  const compared = (): Compared => ({
    oracle: load.oracle,
    files: load.files,
    strangers: load.strangerFiles,
    store,
    log,
    topics,
    analyzers: analyzers.running.flatMap(({ url }) => (url === null ? [] : [url])),
  });
  const agree = async (after: string): Promise<void> => {
    const wait = patience.begin();
    for (;;) {
      let failure = '';
      const now = compared();
      const first = await firstDifferences(now).catch((error: unknown) => {
        failure = String(error);
        return null;
      });
      if (first?.partsLeft === 0) {
        say(`agreement after ${after} in ${Math.round(wait.agreed())} ms (${load.acknowledgedEvents} events so far)`);
        return;
      }
      if (wait.isOver(first === null ? Number.POSITIVE_INFINITY : first.partsLeft * mostOfPart + first.found.length)) {
        const found = first === null ? [`the comparison failed: ${failure}`] : await allDifferences(now);
        const details = `(seed ${seed}):\n${shortened(found)}\n${analyzers.output()}`;
        throw first === null
          ? new Error(`nothing to compare after ${after} ${details}`)
          : new DisagreementError(after, details);
      }
      await pause(lookMs);
    }
  };
  await agree('the start');
  const scene: FaultScene = { cluster, analyzers, load, gate, topics, random, sessionTimeoutMs, say };
  for (const fault of options.faults) {
    load.speak();
    await pause(loadBeforeMs);
    say(`— ${fault.name}`);
    await fault.run(scene);
    if (cluster !== null) await inSync(cluster);
    await pause(loadBeforeMs);
    await load.quiet();
    await agree(fault.name);
    count++;
  }
  const { acknowledgedBatches, acknowledgedEvents, repeatedAppends, lateBatches } = load;
  const slowestAgreementMs = patience.slowestMs;
  return { faults: count, acknowledgedBatches, acknowledgedEvents, repeatedAppends, lateBatches, slowestAgreementMs };
}

function shortened(differences: readonly string[]): string {
  const more = differences.length - shownDifferences;
  return [...differences.slice(0, shownDifferences), ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

function settingsOf(settings: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(settings).flatMap(([key, value]) => [
    '--set',
    `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ]);
}
