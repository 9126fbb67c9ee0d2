/**
 * Every metric of every service, out of the very code that makes them: each service's instruments on a real exporter, with figures
 * that stand for nothing. docs/metrics.md is made from it, and promtool looks at it.
 */
import type { Meter } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { Denials } from '#access/denials.ts';
import { observeStaleTokens } from '#access/http-access.ts';
import type { Delivery } from '#analyzer/alerts/delivery/delivery.ts';
import { createDeliveryMetrics } from '#analyzer/alerts/delivery/metrics.ts';
import { observeDelivery } from '#analyzer/alerts/delivery/observed.ts';
import { objectives } from '#analyzer/alerts/objective.ts';
import { analyzerMetrics } from '#analyzer/metrics.ts';
import { observeAnalyzer } from '#analyzer/observed.ts';
import type { Analyzer } from '#analyzer/service.ts';
import { createAgentMetrics } from '#collector/agent/metrics.ts';
import type { AgentStatus } from '#collector/agent/status.ts';
import { createGatewayMetrics } from '#collector/gateway/metrics.ts';
import { newCounts as embeddedCounts } from '#log/embedded/stats.ts';
import { newCounts as kafkaCounts } from '#log/kafka/stats.ts';
import { systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { silentLogger } from '#mesh/logger.ts';
import { createRepairerMetrics } from '#repairer/metrics.ts';
import type { RepairReport } from '#repairer/repair/repair-report.ts';
import type { Store } from '#store/client.ts';
import { insertMeasure, observeStore } from '#store/metrics.ts';
import type { StoreWriter } from '#store/writer.ts';
import { noJournal } from '#tahoe/gbs/share-journal.ts';
import { topicsOfConfig } from './kafka-connection.ts';
import { observeLog, observeUnread } from './log-metrics.ts';
import { spanCounts } from './tracing.ts';

export const meteredServices = ['collector', 'analyzer', 'repairer', 'agent'] as const;
export type MeteredService = (typeof meteredServices)[number];

/** What a service answers at /metrics, in the text format of Prometheus. */
export async function metricsTextOf(service: MeteredService): Promise<string> {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  const meter = provider.getMeter(`meshward.${service}`);
  instrumentsOf[service](meter);
  spanCounts(meter);
  const { resourceMetrics } = await exporter.collect();
  const text = new PrometheusSerializer().serialize(resourceMetrics);
  await provider.shutdown();
  return text;
}

const instrumentsOf: Readonly<Record<MeteredService, (meter: Meter) => void>> = {
  collector(meter) {
    const gateway = createGatewayMetrics(meter, topicsOfConfig(loadConfig().config), {
      requests: () => 0,
      bodyBytes: () => 0,
      peers: () => ({ enrolled: 0, revoked: 0 }),
      tickLateMs: () => 0,
      oldestAppendMs: () => 0,
      connections: () => ({ known: 0, newcomer: 0 }),
    });
    gateway.accepted('batch', 0, 0);
    accessInstruments(meter);
    logInstruments(meter);
  },
  analyzer(meter) {
    const { sweepSeconds, rebuildSeconds } = analyzerMetrics(meter);
    sweepSeconds.record(0);
    rebuildSeconds.record(0);
    const peer = { life: { agentVersion: '1.2.3' }, state: 'up', revoked: false };
    const health = {
      ownTotals: { byGrade: new Map() },
      peers: [peer],
      freshness: { state: 'fresh' },
      ownedPartitions: 0,
    };
    const standings = objectives.map((objective) => ({ objective, wantedRatio: 1, budgetLeftRatio: 1 }));
    observeAnalyzer(meter, { health: () => health, objective: () => standings } as unknown as Analyzer);
    observeUnread(meter, () => 0);
    createDeliveryMetrics(meter, ['SINK']).of('SINK').told(0);
    const sink = { sink: 'SINK', waiting: 0, failingSinceMs: null };
    const delivery = { open: [], isTelling: false, status: () => [sink], isWithheld: () => false };
    observeDelivery(meter, delivery as unknown as Delivery);
    accessInstruments(meter);
    logInstruments(meter);
    storeInstruments(meter);
  },
  repairer(meter) {
    const repairer = createRepairerMetrics(meter, {
      queued: () => ({ critical: 0, 'at-risk': 0, degraded: 0, lost: 0 }),
      running: () => 0,
      leftOutPartitions: () => 0,
      brakeHeld: () => false,
      uploadBytes: () => 0,
      peersAgeMs: () => 0,
    });
    const report = {
      ending: 'repaired',
      written: [],
      found: [],
      corrupt: [],
      bytesRead: 0,
      bytesWritten: 0,
      durationMs: 0,
    };
    repairer.ended(report as unknown as RepairReport, 'critical');
    repairer.confirmed(0);
    accessInstruments(meter);
    logInstruments(meter);
    storeInstruments(meter);
  },
  agent(meter) {
    const status = {
      spool: { batches: 0, bytes: 0, droppedBatches: 0, setAsideBatches: 0 },
      otherFiles: { unreadable: 0 },
      folder: 'present',
      collectorReachable: true,
      shares: 0,
      shareBytes: 0,
      corruptShares: 0,
      verifiedShares: 0,
      journal: { ...noJournal, sharesPutBack: 0 },
    };
    const agent = createAgentMetrics('PEER', meter);
    agent.observe(() => status as unknown as AgentStatus);
    agent.scanned(0);
    accessInstruments(meter);
  },
};

function logInstruments(meter: Meter): void {
  const waiting = { pendingBytes: 0, waitingAppends: 0, openConnections: 0 };
  observeLog(meter, () => ({ ...embeddedCounts(), ...kafkaCounts(), ...waiting }));
}

function accessInstruments(meter: Meter): void {
  void new Denials(systemClock, silentLogger, meter);
  observeStaleTokens(meter, () => false);
}

function storeInstruments(meter: Meter): void {
  insertMeasure(meter)({ table: 'TABLE', rows: 0, durationMs: 0 } as Parameters<ReturnType<typeof insertMeasure>>[0]);
  const store = { stats: () => ({ endpoint: 0, endpointSwitches: 0 }) };
  const stats = {
    queuedRows: 0,
    queuedBytes: 0,
    queueLimitBytes: 0,
    insertedRows: 0,
    insertedBytes: 0,
    insertedBatches: 0,
    retries: 0,
    oldestWaitingMs: 0,
    waitingCalls: 0,
    failure: null,
  };
  observeStore(meter, store as unknown as Store, { stats: () => stats } as unknown as StoreWriter);
}

export interface ListedMetric {
  /** As Prometheus has it. */
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly unit: string;
  readonly services: readonly MeteredService[];
  /** Names of labels, with the values that stand there from the start. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
}

/** In the order of their names. */
export async function listMetrics(): Promise<readonly ListedMetric[]> {
  const found = new Map<string, ListedMetric & { services: MeteredService[]; labels: Map<string, string[]> }>();
  for (const service of meteredServices) {
    for (const metric of parseMetrics(await metricsTextOf(service))) {
      const known = found.get(metric.name);
      if (known === undefined) found.set(metric.name, { ...metric, services: [service] });
      else known.services.push(service);
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Labels that the exporter adds to everything, or that make a histogram's buckets. */
const otherLabels: ReadonlySet<string> = new Set(['otel_scope_name', 'otel_scope_version', 'le']);

function parseMetrics(text: string) {
  const metrics = new Map<
    string,
    { name: string; type: string; help: string; unit: string; labels: Map<string, string[]> }
  >();
  const helps = new Map<string, string>();
  let current: string | null = null;
  for (const line of text.split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (word === 'HELP') helps.set(name, rest);
    if (word === 'TYPE' && name !== 'target_info') {
      current = name;
      metrics.set(name, { name, type: rest, help: helps.get(name) ?? '', unit: unitOf(name), labels: new Map() });
    }
    if (line.startsWith('#') || current === null || !line.startsWith(current)) continue;
    const labels = metrics.get(current)?.labels;
    for (const [, label = '', value = ''] of line.matchAll(/([a-z_]+)="([^"]*)"/g)) {
      if (otherLabels.has(label)) continue;
      const values = labels?.get(label) ?? [];
      if (!values.includes(value)) labels?.set(label, [...values, value]);
    }
  }
  return metrics.values();
}

/** Units stand in the names. */
function unitOf(name: string): string {
  const words = name.replace(/_total$/, '').split('_');
  if (words.includes('seconds')) return 'seconds';
  if (words.includes('bytes')) return 'bytes';
  return words.at(-1) === 'ratio' ? 'ratio' : 'count';
}

/** As docs/metrics.md. */
export function renderMetrics(metrics: readonly ListedMetric[]): string {
  const rows = metrics.map(({ name, type, unit, services, labels, help }) => {
    const named = [...labels].map(([label, values]) => `\`${label}\`${valuesOf(values)}`).join('; ');
    return `| \`${name}\` | ${type} | ${unit} | ${services.join(', ')} | ${named || 'none'} | ${help.replaceAll('|', '\\|')} |`;
  });
  return [
    introduction,
    ['| metric | type | unit | services | labels | meaning |', '| --- | --- | --- | --- | --- | --- |', ...rows].join(
      '\n',
    ),
    '',
  ].join('\n\n');
}

/** Placeholders stand for what a mesh is made of. */
function valuesOf(values: readonly string[]): string {
  const known = values.filter((value) => !/^[A-Z]+$|^\d+\.\d+\.\d+$|^meshward\./.test(value));
  return known.length === 0 ? '' : ` (${known.join(', ')})`;
}

const introduction = `# Metrics

Generated by \`node cli/generate-docs.ts\` from the code that makes them. Every service answers \`/metrics\` in the text format of
Prometheus: the analyzer at \`api.port\`, the repairer at \`repairer.port\`, the collector at \`collector.opsPort\`, an agent at \`agent.opsPort\`.

Counters and gauges stand at zero from the start, so that rules on them can be written before anything has happened. No label has the
name of a file. \`peer\` stands on metrics of agents only, where each process is one peer; \`sink\` has the names of \`alerts.sinks\` (at most 16),
\`version\` at most 10 releases and \`other\`, \`topic\` the topics that get ticks, \`table\` the tables of the store. In parentheses: the values that
are there from the start. Rules on these metrics: [dashboards/prometheus](../dashboards/prometheus), what they mean to people: [alerts.md](alerts.md).`;
