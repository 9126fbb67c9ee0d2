/** The analyzer as a process: share maps on the log and the store, and the HTTP API with the page. */
import { hostname } from 'node:os';
import { metrics } from '@opentelemetry/api';
import { apiSender } from '#access/api-sender.ts';
import { openHttpAccess } from '#access/http-access.ts';
import { AlertAnswers } from '#analyzer/api/alert-answers.ts';
import { toPeerAnswer } from '#analyzer/api/answers.ts';
import { createApi } from '#analyzer/api/api.ts';
import { askRoutes } from '#analyzer/api/ask-routes.ts';
import { campaignRoutes } from '#analyzer/api/campaign-routes.ts';
import { repairersAt } from '#analyzer/api/running-repairs.ts';
import { CampaignView } from '#analyzer/campaigns/campaign-view.ts';
import { ClickHouseAnalyzerStore } from '#analyzer/clickhouse/clickhouse-store.ts';
import { StoreHistory } from '#analyzer/clickhouse/store-history.ts';
import { instanceName } from '#analyzer/instance-name.ts';
import { analyzerMetrics } from '#analyzer/metrics.ts';
import { observeAnalyzer } from '#analyzer/observed.ts';
import { Analyzer } from '#analyzer/service.ts';
import { loadPage } from '#dashboards/page/page-routes.ts';
import { loadRunbooks } from '#dashboards/runbooks/runbook-routes.ts';
import { GroupLag } from '#log/group-lag.ts';
import { systemClock } from '#mesh/clock.ts';
import { consumerGroups } from '#mesh/topics.ts';
import { openAlerting } from '../alerting.ts';
import { beginOpeningLog, beginOpeningStore } from '../connections.ts';
import { observeUnread } from '../log-metrics.ts';
import { addOpsRoutes } from '../ops-server.ts';
import { pageActions } from '../page-actions.ts';
import { pageReader } from '../page-reader.ts';
import { softwareVersion } from '../version.ts';
import { failure, type RunningService, type ServiceStart } from './run-service.ts';

const failureLookMs = 250;

export async function startAnalyzer({ context, telemetry, logger, signal }: ServiceStart): Promise<RunningService> {
  const { config } = context;
  // First of all: what is not to be served must not be begun.
  const access = openHttpAccess({
    config: config.access,
    place: config.api,
    clock: systemClock,
    logger,
    meter: metrics.getMeter('meshward.access'),
  });
  const { log, topics } = await beginOpeningLog(context, { role: 'analyzer', logger, signal });
  const database = await beginOpeningStore(context, logger, signal);
  const { store, writer, close } = database;
  const meter = metrics.getMeter('meshward.analyzer');
  const instance = instanceName(hostname(), config.api.port, process.pid);
  telemetry.keepFigures({ writer, instance }, database.prepared);
  const running = repairersAt(config.api.repairerUrls, systemClock, undefined, apiSender(config.access));
  const alerting = openAlerting({ config, log, topics, logger, running });
  const analyzer = new Analyzer({
    instance,
    log,
    topics,
    store: new ClickHouseAnalyzerStore({
      store,
      writer,
      clock: systemClock,
      analyzer: instance,
      trouble: database.trouble,
    }),
    config,
    clock: systemClock,
    logger,
    metrics: analyzerMetrics(meter),
    delivery: alerting.delivery,
  });
  observeAnalyzer(meter, analyzer);
  const lag = new GroupLag({
    log,
    group: consumerGroups(config.log.topicPrefix).analyzers,
    topic: topics.shareEvents.name,
    partitions: () => analyzer.partitionsOwned(),
    clock: systemClock,
  });
  observeUnread(meter, () => lag.unreadRecords());
  const history = new StoreHistory(store, systemClock);
  const campaigns = new CampaignView({
    store,
    log,
    topic: topics.campaigns.name,
    partitions: topics.atRisk.partitions,
    peers: () =>
      analyzer.health().peers.map((facts) => {
        return { ...toPeerAnswer(facts), peerId: facts.peer, freeBytes: toPeerAnswer(facts).freeBytes ?? 0 };
      }),
    config,
    clock: systemClock,
    logger,
  });
  const reader = await pageReader(config);
  const addPage = await loadPage({ guide: config.api.guide, actions: await pageActions(context), reader });
  const addRunbooks = await loadRunbooks();
  const api = await createApi({
    analyzer,
    history,
    alerts: new AlertAnswers({
      ...alerting,
      config,
      clock: systemClock,
      stored: history,
      standings: () => analyzer.objective(),
    }),
    running,
    config: config.api,
    clock: systemClock,
    logger,
    version: softwareVersion,
    access,
    addRoutes(app) {
      addPage(app);
      addRunbooks(app);
      campaignRoutes(campaigns, app);
      askRoutes(analyzer, app);
      addOpsRoutes(app, {
        telemetry,
        alive: () => analyzer.failure === null,
        readiness: () => analyzer.readiness(),
        ending: signal,
      });
    },
  });
  const failed = failure();
  const watch = setInterval(() => {
    if (analyzer.failure !== null) failed.fail(analyzer.failure);
  }, failureLookMs);
  const heard = await api.listen({ host: config.api.host, port: config.api.port });
  const url = heard.replace(/^https?:/, `${access.scheme}:`);
  const started = (async () => {
    await database.prepared;
    // Before anything is asked of the log: it may have no room.
    await analyzer.resume();
    await alerting.notes.start((error) => failed.fail(error));
    await campaigns.start();
    await analyzer.start();
  })();
  started.catch((error: unknown) => {
    if (!signal.aborted) failed.fail(error);
  });
  // While the log has no room or the database is away, the API says so, and what the other one knows.
  await Promise.race([started, log.away, database.away]);
  return {
    facts: { url, port: Number(new URL(url).port) },
    failed: failed.promise,
    async stop() {
      clearInterval(watch);
      lag.close();
      await api.close();
      access.close();
      await reader?.ask.close();
      await analyzer.stop();
      await started.catch(() => undefined);
      await alerting.close();
      await campaigns.stop();
      await close();
      await log.close();
    },
  };
}
