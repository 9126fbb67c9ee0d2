/**
 * Grafana's own alert rules on what Meshward keeps, for those who have neither Prometheus nor a sink. Names of tables stand alone: they
 * are those of the data source's database. Each query gives one row with one number.
 */
import { stringify } from 'yaml';
import { clickhousePlugin, rows } from './build/target.ts';

export const alertingFile = 'alerting/meshward.yaml';
/** As `provisioning/datasources/` names it. */
const datasourceUid = 'meshward-clickhouse';

export interface AlertingRule {
  /** That of the alert of the same cause, so that its runbook is this one's too. */
  readonly name: `Meshward${string}`;
  readonly severity: 'page' | 'warning';
  readonly summary: string;
  readonly description: string;
  readonly forMinutes: number;
  readonly sql: string;
  /** It fires above this. */
  readonly above: number;
}

const filesOf = (grade: string): string =>
  `SELECT count() AS files FROM file_health FINAL WHERE NOT deleted AND grade = '${grade}'`;
const openAlerts = (kind: string): string =>
  `SELECT count() AS open FROM (SELECT id, argMax(state, at) AS last FROM alerts WHERE kind LIKE '${kind}%' AND at >= now() - INTERVAL 30 DAY GROUP BY id) WHERE last = 'firing'`;

export const alertingRules: readonly AlertingRule[] = [
  {
    name: 'MeshwardFilesLost',
    severity: 'page',
    summary: 'Files cannot be recovered now',
    description: 'They have fewer than k shares on peers that are up. Each peer that comes back may bring them back.',
    forMinutes: 2,
    sql: filesOf('lost'),
    above: 0,
  },
  {
    name: 'MeshwardFilesCritical',
    severity: 'page',
    summary: 'Files are below the critical threshold of their policy',
    description: 'Repair does them before everything else. It pages because that has lasted.',
    forMinutes: 10,
    sql: filesOf('critical'),
    above: 0,
  },
  {
    name: 'MeshwardFilesAtRisk',
    severity: 'warning',
    summary: 'Files are below the repair threshold of their policy',
    description: 'Repair has had half an hour for them. Look at the dashboard “Repair” for what holds it back.',
    forMinutes: 30,
    sql: filesOf('at-risk'),
    above: 0,
  },
  {
    name: 'MeshwardDomainLost',
    severity: 'page',
    summary: 'A failure domain is silent',
    description:
      'Four fifths of the peers of a failure domain do not answer. The dashboard “Damage” says which, and what it held.',
    forMinutes: 0,
    sql: openAlerts('domain-lost'),
    above: 0,
  },
  {
    name: 'MeshwardProofDisagrees',
    severity: 'page',
    summary: 'A proof could not recover a file that should be recoverable',
    description: 'What is counted is not what is there: peers do not hold what they say.',
    forMinutes: 0,
    sql: openAlerts('proof-disagrees'),
    above: 0,
  },
  {
    name: 'MeshwardHealthStale',
    severity: 'page',
    summary: 'Nothing has been said of the health of files for minutes',
    description: 'No analyzer writes what it sees: what every dashboard shows is old.',
    forMinutes: 2,
    sql: "SELECT if(count() = 0, 1e9, toFloat64(dateDiff('second', max(at), now64(3, 'UTC')))) AS age_seconds FROM grade_history WHERE at >= now() - INTERVAL 1 DAY",
    above: 300,
  },
];

/** The file as Grafana's provisioning takes it. */
export function alertingText(runbooksUrl = 'http://127.0.0.1:7700/runbooks'): string {
  const head =
    "# Grafana's own alert rules on the ClickHouse of a mesh. Put it into /etc/grafana/provisioning/alerting/. Where Meshward tells alerts itself\n" +
    '# (alerts.sinks), leave it out, or one cause is told twice. Made by dashboards/grafana/alerting.ts.\n';
  const group = {
    orgId: 1,
    name: 'meshward',
    folder: 'Meshward',
    interval: '1m',
    rules: alertingRules.map((rule) => ruleOf(rule, runbooksUrl.replace(/\/+$/, ''))),
  };
  return head + stringify({ apiVersion: 1, groups: [group] }, { lineWidth: 0 });
}

function ruleOf({ name, severity, summary, description, forMinutes, sql, above }: AlertingRule, runbooksUrl: string) {
  const { datasource: _chosen, ...query } = rows(sql);
  return {
    uid: name.toLowerCase(),
    title: name,
    condition: 'C',
    for: `${forMinutes}m`,
    // An empty database is one of which nothing is known; an answer that does not come is told by the data source's own state.
    noDataState: 'NoData',
    execErrState: 'Error',
    labels: { severity, service: 'meshward' },
    annotations: { summary, description, runbook_url: `${runbooksUrl}/${name}.md` },
    data: [
      {
        refId: 'A',
        relativeTimeRange: { from: 600, to: 0 },
        datasourceUid,
        model: { ...query, datasource: { type: clickhousePlugin, uid: datasourceUid } },
      },
      {
        refId: 'C',
        relativeTimeRange: { from: 600, to: 0 },
        datasourceUid: '__expr__',
        model: {
          refId: 'C',
          type: 'threshold',
          expression: 'A',
          datasource: { type: '__expr__', uid: '__expr__' },
          conditions: [{ evaluator: { type: 'gt', params: [above] } }],
        },
      },
    ],
  };
}
